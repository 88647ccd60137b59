package wire

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"earshot/node/message"
)

// maxClock bounds a clock on the wire, in ms from 1970 either way: a stamp of a message has as many bits, and differences do not overflow.
const maxClock = 1 << 47

// limited is a control body: it says whether it breaks a limit.
type limited interface{ check() error }

func within(what string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%d %s, %d are allowed", n, what, limit)
	}
	return nil
}

func checkNick(nick string) error { return within("bytes of a nick", len(nick), message.MaxNickBytes) }

func checkWhy(why string) error {
	return within("bytes of why someone is away", len(why), MaxTextBytes)
}

func checkNumber(seq uint64) error {
	if seq >= message.MaxSeq {
		return fmt.Errorf("number %d is out of range", seq)
	}
	return nil
}

func checkClock(ms int64) error {
	if ms <= -maxClock || ms >= maxClock {
		return fmt.Errorf("a clock at %d ms", ms)
	}
	return nil
}

func checkAddress(address []string) error {
	err := within("addresses", len(address), MaxAddress)
	for _, a := range address {
		err = cmp.Or(err, within("bytes of an address", len(a), MaxAddressBytes))
	}
	return err
}

func checkHeads(heads []Head) error {
	err := within("heads", len(heads), MaxHeads)
	for i := range heads {
		err = cmp.Or(err, checkNumber(heads[i].Seq), checkNumber(heads[i].Fork))
	}
	return err
}

func checkKnown(known [][8]byte) error {
	for i := 1; i < len(known); i++ {
		if bytes.Compare(known[i-1][:], known[i][:]) >= 0 {
			return errors.New("marks of profiles do not ascend")
		}
	}
	return within("marks of profiles", len(known), MaxKnown)
}

func (h *Hello) check() error {
	return cmp.Or(
		checkClock(h.Net),
		within("bytes of software", len(h.Software), MaxTextBytes),
		checkNick(h.Nick),
		within("tags", len(h.Tags), MaxTags),
		checkKnown(h.Known),
		within("bytes of a profile", len(h.Profile), MaxProfile))
}

func (s *State) check() error    { return within("groups", len(s.Groups), MaxGroups) }
func (*AskDays) check() error    { return nil }
func (d *Done) check() error     { return within("logs", len(d.Logs), MaxWants) }
func (h *Have) check() error     { return checkHeads(h.Heads) }
func (*Typing) check() error     { return nil }
func (n *Note) check() error     { return cmp.Or(checkNick(n.Nick), checkWhy(n.Why)) }
func (r *Redirect) check() error { return checkAddress(r.Address) }

func (o *Order) check() error {
	return cmp.Or(within("successors", len(o.Successors), MaxOrder), within("witnesses", len(o.Witnesses), MaxWitnesses))
}

func (b *Bye) check() error {
	return cmp.Or(checkAddress(b.Address), within("bytes of a reason", len(b.Reason), MaxTextBytes))
}

func (d *Days) check() error {
	for i := range d.Days {
		if d.Days[i].Day < d.From || i > 0 && d.Days[i].Day <= d.Days[i-1].Day {
			return errors.New("days do not ascend")
		}
	}
	return within("days", len(d.Days), MaxDays)
}

func (a *AskHeads) check() error {
	if n := len(a.Parts); n != 0 && n != Parts*PartBytes {
		return fmt.Errorf("%d bytes of parts", n)
	}
	return nil
}

func (h *Heads) check() error {
	for i := 1; i < len(h.Heads); i++ {
		if string(h.Heads[i].Log[:]) <= string(h.Heads[i-1].Log[:]) {
			return errors.New("heads do not ascend")
		}
	}
	return checkHeads(h.Heads)
}

func (w *Want) check() error {
	err := within("wants", len(w.Wants), MaxWants)
	for i := range w.Wants {
		err = cmp.Or(err, checkNumber(w.Wants[i].From))
	}
	return err
}

func (b *Beat) check() error {
	return cmp.Or(checkClock(b.Clock), checkClock(b.Net), checkHeads(b.Waiting))
}

func (s *Stable) check() error {
	err := within("logs", len(s.Logs), MaxHeads)
	for i := range s.Logs {
		err = cmp.Or(err, checkNumber(s.Logs[i].Seq))
	}
	return err
}

func (p *Presence) check() error {
	err := cmp.Or(within("people here", len(p.Here), MaxPeople), within("people gone", len(p.Gone), MaxPeople))
	for i := range p.Here {
		who := &p.Here[i]
		err = cmp.Or(err, checkNick(who.Nick), checkWhy(who.Why), checkAddress(who.Address),
			within("bytes of a profile", len(who.Profile), MaxProfile))
	}
	return err
}

func (v *View) check() error {
	err := cmp.Or(checkClock(v.Clock), within("instances", len(v.Here), MaxInstances))
	for i := range v.Here {
		err = cmp.Or(err, checkNick(v.Here[i].Nick), within("bytes of an address", len(v.Here[i].Address), MaxReachable))
	}
	return err
}
