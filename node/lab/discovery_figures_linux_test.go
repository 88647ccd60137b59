package lab_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/miekg/dns"

	"earshot/node/lab"
)

// mdns asks for the service by multicast, as discovery does, and prints how many µs the first answer took.
func mdns() error {
	c, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return err
	}
	defer c.Close()
	q := dns.Msg{Question: []dns.Question{{Name: "_earshot._tcp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := c.WriteTo(b, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}); err != nil {
		return err
	}
	if err := c.SetReadDeadline(began.Add(5 * time.Second)); err != nil {
		return err
	}
	if _, _, err := c.ReadFrom(make([]byte, 9000)); err != nil {
		return err
	}
	fmt.Println(time.Since(began).Microseconds())
	return nil
}

// TestDiscoveryFigures measures how long it takes from the start of a process until it has others, from the outside. Whoever is started has a profile of its own that is new: no address of
// a peer is remembered in it. A round takes about 15 s, most of it the twenty.
func TestDiscoveryFigures(t *testing.T) {
	if *figures == 0 {
		t.Skip("only reports; -figures N measures")
	}
	t.Run("few", fewFigures)
	t.Run("twenty", twentyFigures)
}

func fewFigures(t *testing.T) {
	asked := &series{what: "bare mDNS: from a question to the first answer"}
	ready := &series{what: "one started: ready, before it has looked for anybody"}
	linked := &series{what: "one started beside three: linked"}
	ours := &series{what: "  of that, from ready on"}
	fresh := &series{what: "two started at once, where nobody is: one is the hub of both"}
	t.Cleanup(func() {
		for _, s := range []*series{asked, ready, linked, ours, fresh} {
			t.Log(s)
		}
	})
	l := lab.New(t, 6)
	l.Split([]int{1, 2, 3, 4}, []int{5, 6})
	settled(t, l, []*lab.Process{start(l, 1), start(l, 2), start(l, 3)})
	for n := range *figures {
		profile := fmt.Sprint("round", n)
		out, err := tool(t, l.Host(4), "mdns")
		us, bad := strconv.Atoi(out)
		if err != nil || bad != nil {
			t.Fatalf("mDNS: %v %s", err, out)
		}
		asked.add(time.Duration(us) * time.Microsecond)

		began := time.Now()
		p := start(l, 4, "--profile", profile)
		at := p.Wait(8*soon, "it is linked", func(e lab.Event) bool { return e.Kind == "hub" && e.State == "linked" }).Seen
		linked.add(at.Sub(began))
		ready.add(last(p, "ready").Seen.Sub(began))
		ours.add(at.Sub(last(p, "ready").Seen))
		p.Stop()

		began = time.Now()
		pair := []*lab.Process{start(l, 5, "--profile", profile), start(l, 6, "--profile", profile)}
		fresh.add(switched(t, l, "the two are together", began, pair, nil))
		for _, p := range pair {
			p.Stop()
		}
	}
}

// twentyFigures has as many hosts as may be there at once.
func twentyFigures(t *testing.T) {
	const hosts = 20 / lab.Slack
	launched := &series{what: fmt.Sprintf("%d started at once: the last process is begun", hosts)}
	begun := &series{what: "  the last is ready, before it has looked for anybody"}
	together := &series{what: "  all at one hub"}
	found := &series{what: "  of that, from the last that is ready on"}
	t.Cleanup(func() {
		for _, s := range []*series{launched, begun, together, found} {
			t.Log(s)
		}
	})
	l := lab.New(t, hosts)
	for n := range *figures {
		began := time.Now()
		var all []*lab.Process
		for i := 1; i <= hosts; i++ {
			all = append(all, start(l, i, "--profile", fmt.Sprint("round", n)))
		}
		launched.add(time.Since(began))
		took := switched(t, l, "one hub at the start", began, all, nil)
		var ready time.Time
		for _, p := range all {
			if seen := last(p, "ready").Seen; seen.After(ready) {
				ready = seen
			}
		}
		begun.add(ready.Sub(began))
		together.add(took)
		found.add(began.Add(took).Sub(ready))
		for _, p := range all {
			p.Kill()
		}
	}
}
