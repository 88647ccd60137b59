package command

import (
	"fmt"
	"strconv"
	"strings"

	"earshot/node"
	"earshot/node/message"
)

// away says that the user is away, and why.
func away(_ Spec, args string, _ At) (Action, error) {
	if len(args) > node.MaxWhy {
		return Action{}, &node.Error{Text: fmt.Sprintf("this has %d bytes, and at most %d say why you are away", len(args), node.MaxWhy), Hint: "say it in fewer words"}
	}
	why := strings.Join(strings.Fields(args), " ")
	line := "you are away; /back when you return"
	if why != "" {
		line = "you are away (" + why + "); /back when you return"
	}
	return Action{Do: node.SetAway{Away: true, Why: why}, Lines: []string{line}}, nil
}

// typing chooses whether the others are told when the user types, or says whether they are.
func typing(spec Spec, args string, at At) (Action, error) {
	const on, off = "the others are told when you type", "the others are not told when you type"
	return onOff(spec, args, !at.Snapshot.Silent, on, off, node.SetTyping{On: true}, node.SetTyping{})
}

// onOff is a choice that the profile remembers: alone it says which is made.
func onOff(spec Spec, args string, is bool, on, off string, start, stop node.Command) (Action, error) {
	switch strings.ToLower(args) {
	case "":
		if is {
			return Action{Lines: []string{on + "; /" + spec.Name + " off changes it"}}, nil
		}
		return Action{Lines: []string{off + "; /" + spec.Name + " on changes it"}}, nil
	case "on":
		return Action{Do: start, Lines: []string{on}}, nil
	case "off":
		return Action{Do: stop, Lines: []string{off}}, nil
	}
	return Action{}, noneOf(spec, args, "on", "off")
}

// mute keeps a room from asking for attention, or no longer.
func mute(spec Spec, args string, at At) (Action, error) {
	room, err := at.theRoom(args)
	if err != nil {
		return Action{}, err
	}
	if _, ok := Known(at.Snapshot, room); !ok && args != "" {
		return Action{}, noRoom(room)
	}
	line := room + " asks for no attention; /unmute " + room + " changes it"
	on := spec.Name == "mute"
	if !on {
		line = room + " asks for attention"
	}
	return Action{Do: node.Mute{Room: room, On: on}, Lines: []string{line}}, nil
}

// history shows what was said, back from the end.
func history(spec Spec, args string, _ At) (Action, error) {
	n := 20
	if args != "" {
		var err error
		if n, err = strconv.Atoi(args); err != nil || n < 1 || n > 1000 {
			return Action{}, usage(spec, "how many lines? from 1 to 1000")
		}
	}
	return Action{History: n}, nil
}

// find returns who is here by that nick, with or without the @ and the tag that tells two of one nick apart.
func find(s node.Snapshot, nick string) (p node.Person, err error) {
	nick = strings.TrimPrefix(strings.TrimSpace(nick), "@")
	var found []node.Person
	for _, p := range s.People {
		if p.Nick == nick {
			return p, nil
		}
		bare, _, _ := strings.Cut(p.Nick, "~")
		if message.NickKey(bare) == message.NickKey(nick) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return p, &node.Error{Text: "nobody here is called " + nick, Hint: "/who lists who is here"}
	case 1:
		return found[0], nil
	}
	return p, &node.Error{Text: fmt.Sprintf("%d here are called %s", len(found), nick), Hint: "name one with the tag behind it: " + found[0].Nick}
}

func ping(_ Spec, args string, at At) (Action, error) {
	lines, err := Ping(at.Snapshot, args)
	return Action{Lines: lines}, err
}

// Ping says how long a word takes to someone and back, as far as that is measured: to the hub, and from it.
func Ping(s node.Snapshot, nick string) ([]string, error) {
	if nick == "" {
		switch {
		case s.Hub.State == node.Serving:
			var lines []string
			for _, p := range s.People {
				if p.Latency > 0 {
					lines = append(lines, p.Nick+": "+Latency(p.Latency)+" there and back")
				}
			}
			return append([]string{"you are the hub"}, lines...), nil
		case s.Hub.State != node.Linked:
			return []string{Standing(s)}, nil
		case s.Latency == 0:
			return []string{s.Hub.Hub + " is the hub; the way there is being measured"}, nil
		}
		return []string{fmt.Sprintf("%s, the hub: %s there and back", s.Hub.Hub, Latency(s.Latency))}, nil
	}
	p, err := find(s, nick)
	switch {
	case err != nil:
		return nil, err
	case p.Me:
		return []string{"that is you"}, nil
	case p.Latency > 0:
		return []string{p.Nick + ": " + Latency(p.Latency) + " there and back"}, nil
	}
	return nil, &node.Error{Text: "only the way to the hub is measured here", Hint: "/ping alone tells it"}
}

// Net returns what is known of the network.
func Net(s node.Snapshot) []string {
	kind := "open: anyone on this LAN can join and read it"
	if s.Closed {
		kind = "closed: only holders of its key can join or read"
	}
	rows := [][2]string{{"network", s.Network + ", " + kind}, {"this machine", "no network interface is up"}}
	if s.Address.IsValid() {
		rows[1][1] = fmt.Sprintf("%s, port %d (TCP and UDP)", s.Address, s.Port)
	}
	if s.Key != nil {
		rows = append(rows, [2]string{"new key", s.Key.String()})
	}
	rows = append(rows, [2]string{"hub", Standing(s)})
	if s.Latency > 0 {
		rows = append(rows, [2]string{"way to the hub", Latency(s.Latency) + " there and back"})
	}
	instances := "one instance"
	if n := len(s.Candidates); n > 1 {
		instances = fmt.Sprintf("%d instances", n)
	}
	return columns(append(rows, [2]string{"here", fmt.Sprintf("%d, on %s of earshot", Here(s), instances)}))
}
