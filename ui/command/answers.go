package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"earshot/node"
	"earshot/node/identity"
	"earshot/ui/look"
)

// Help returns the list of commands, or what the one called name (with or without its slash) does.
func Help(name string) ([]string, error) {
	if name = strings.TrimPrefix(name, "/"); name != "" {
		if Group(name) {
			rows := [][2]string{}
			for _, s := range group(name) {
				rows = append(rows, [2]string{s.Usage(), s.Help})
			}
			return columns(rows), nil
		}
		spec, ok := Lookup(name)
		if !ok {
			return nil, unknown(name)
		}
		lines := []string{spec.Usage() + ": " + spec.Help}
		if len(spec.Aliases) > 0 {
			lines = append(lines, "also /"+strings.Join(spec.Aliases, ", /"))
		}
		if d := detail(spec.Name); d != "" {
			lines = append(lines, d)
		}
		if !spec.Built() {
			lines = append(lines, "not in this version")
		}
		return lines, nil
	}
	rows := [][2]string{}
	for _, s := range Table() {
		if s.Built() {
			rows = append(rows, [2]string{s.Usage(), s.Help})
		}
	}
	return columns(append(rows, [2]string{"//TEXT", "say TEXT with a slash before it"})), nil
}

// detail is what there is to know of a command beside its one line.
func detail(name string) string {
	switch name {
	case "reply", "edit", "delete", "react":
		return "ID is how a message's id begins, a number that counts back (1 is the newest), or last, the newest; Tab and the arrows choose one too"
	case "msg", "query":
		return "PERSON is a nick, with its tag (bob~7Q2K) where two have it, or a fingerprint; who is away gets it on return"
	case "invite":
		return "only its owner can; with --with-history they can read what was said before; to another room than this one: /invite #ROOM PERSON"
	case "remove", "room hand-over":
		return "only its owner can; in another room than this one: /" + name + " #ROOM PERSON"
	case "read":
		return "the screen does that by itself, line mode for the conversation that you are in, --json for none; /receipts off keeps it from the other"
	case "theme":
		return "NAME is " + look.Themes + ", or two of them: /theme light ascii"
	case "notify":
		return "all: everything while you are elsewhere; mentions: what names you or is said to you alone; off: nothing"
	case "key rotate":
		return "WHO is --except NICK… or --only NICK… or --all; alone it lists who was met; nothing is done without --yes behind it"
	case "search":
		return `also "words in this order", from:NICK in:#ROOM after:2026-11-20 before:2026-11-27`
	case "export":
		return "as text, or as JSON where FILE ends in .jsonl; it overwrites nothing"
	}
	return ""
}

// Who returns who is here.
func Who(s node.Snapshot) []string {
	rows := [][2]string{}
	for _, p := range s.People {
		rows = append(rows, [2]string{p.Nick, About(p)})
	}
	return append([]string{fmt.Sprintf("%d here in %s%s:", Here(s), s.Network, Hidden(s))}, columns(rows)...)
}

// Names returns who is in a public room or a conversation, and when each of them said something there, of what was told lately. All who are here are in every public room: each machine has the
// history of all.
func Names(at At) []string {
	if r, ok := Known(at.Snapshot, at.Room); ok && r.Kind == node.DirectRoom {
		return []string{"only " + r.With.Nick + " and you can read this conversation"}
	}
	spoke := map[identity.PeerID]time.Time{}
	for _, m := range at.Recent {
		if m.Room == at.Room && m.At.After(spoke[m.Author]) {
			spoke[m.Author] = m.At
		}
	}
	rows := [][2]string{}
	for _, p := range at.Snapshot.People {
		words := About(p)
		if t := spoke[p.ID]; !t.IsZero() {
			words = strings.TrimPrefix(words+", spoke "+lately(t), ", ")
		}
		rows = append(rows, [2]string{p.Nick, words})
	}
	return append([]string{fmt.Sprintf("%d can read %s:", len(rows), at.Room)}, columns(rows)...)
}

// About says in a few words what is special about someone.
func About(p node.Person) string {
	var words []string
	add := func(is bool, word string) {
		if is {
			words = append(words, word)
		}
	}
	add(p.Me, "you")
	add(p.Verified, "verified")
	add(p.Warning != "", p.Warning)
	add(p.Hub, "the hub")
	add(p.Server, "a server")
	add(p.Away && p.Why == "", "away")
	add(p.Away && p.Why != "", "away: "+p.Why)
	add(p.Latency > 0, Latency(p.Latency))
	return strings.Join(words, ", ")
}

// Latency writes how long a message takes: "0.4 ms", "12 ms", "1.2 s".
func Latency(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
}

// Standing says in one sentence where this node stands.
func Standing(s node.Snapshot) string {
	switch hub := s.Hub.Hub; {
	case s.Hub.State == node.Serving:
		return "you are the hub"
	case s.Hub.State == node.Linked && hub != "":
		return hub + " is the hub"
	case s.Hub.State == node.Lost && s.Hub.HubID == s.Me.ID:
		return "no longer the hub, choosing another"
	case s.Hub.State == node.Lost && hub != "":
		return "hub " + hub + " lost, choosing another"
	case s.Hub.State == node.Lost:
		return "hub lost, choosing another"
	default:
		return "looking for people"
	}
}

// Hub returns which machine is the hub, since when, and which others could be.
func Hub(s node.Snapshot) []string {
	line := Standing(s)
	if !s.Since.IsZero() {
		line += ", since " + s.Since.Local().Format("15:04:05")
	}
	if s.Hub.Term > 0 {
		line += fmt.Sprintf(" (term %d)", s.Hub.Term)
	}
	lines := []string{line}
	rows := [][2]string{}
	for _, c := range s.Candidates {
		rows = append(rows, [2]string{c.Nick, candidate(c)})
	}
	if len(rows) > 0 {
		lines = append(append(lines, "who could be:"), columns(rows)...)
	}
	return lines
}

func candidate(c node.Candidate) string {
	words := []string{}
	if c.Me {
		words = append(words, "this machine")
	}
	switch {
	case c.Hub:
		words = append(words, "the hub")
	case c.Class == 0:
		words = append(words, "never the hub")
	}
	switch c.Class {
	case 2:
		words = append(words, "a server: preferred")
	case 3:
		words = append(words, "joins two networks: preferred")
	}
	if c.Address != "" {
		words = append(words, c.Address)
	}
	return strings.Join(words, ", ")
}

func rooms(_ Spec, _ string, at At) (Action, error) {
	return Action{Lines: Rooms(at.Snapshot, at.ServerOnly)}, nil
}

// Rooms returns the rooms that are joined or known; what they are about are somebody's words, which a server-only box does not show.
func Rooms(s node.Snapshot, serverOnly bool) []string {
	rows := [][2]string{}
	for _, r := range s.Rooms {
		about := strings.Join(AboutRoom(r), ", ")
		switch {
		case about == "" && r.Joined:
			about = "joined"
		case about == "":
			about = "not joined"
		case r.Kind == node.DirectRoom && !r.Joined:
			about += ", closed"
		}
		if r.Muted {
			about += ", muted"
		}
		if !r.Last.IsZero() {
			about += ", last message " + stamp(r.Last)
		}
		if !serverOnly && r.Topic.Text != "" {
			about += ": " + r.Topic.Text
		}
		rows = append(rows, [2]string{r.Name, about})
	}
	if serverOnly {
		return columns(rows)
	}
	return append(columns(rows), "/join #ROOM opens one, or makes it")
}

// Realms returns the gatherings whose history is kept here.
func Realms(s node.Snapshot) []string {
	if s.Closed {
		return []string{s.Network + " is a closed network: it has one history, for those who hold its key"}
	}
	if len(s.Realms) == 0 {
		return []string{"no gathering joined yet: what you say is sent when you meet someone"}
	}
	rows := [][2]string{}
	for _, r := range s.Realms {
		about := "now"
		if !r.Current {
			about = "last message " + stamp(r.Last)
			if r.Last.IsZero() {
				about = "nothing was said"
			}
		}
		rows = append(rows, [2]string{r.ID, about})
	}
	return append([]string{"each gathering of the open network " + s.Network + " has a history of its own:"}, columns(rows)...)
}

// Welcome returns the first lines of a session: which network this is and who can read it, who is the hub, how many are here, and how to go on.
func Welcome(s node.Snapshot) []string {
	lines := []string{"this is the closed network " + s.Network + ": only holders of its key can join or read"}
	if !s.Closed {
		lines[0] = "this is the open network " + s.Network + ": anyone on this LAN can join and read it"
	}
	here := "nobody else is here yet"
	if n := Here(s); n > 1 {
		here = fmt.Sprintf("%d are here", n)
	}
	lines = append(lines, Standing(s)+"; "+here)
	if s.Me.Server {
		return append(lines, "this box is "+s.Me.Nick+"; earshot --server-only --nick NAME calls it something else")
	}
	return append(lines, "you are "+s.Me.Nick+"; /nick NAME changes it")
}

// Here counts who is here, this one and boxes included, as join and leave lines do.
func Here(s node.Snapshot) int { return len(s.People) }

// lately writes a time that may well be today's.
func lately(t time.Time) string {
	if t.Local().Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Local().Format("15:04")
	}
	return stamp(t)
}

// Hidden says how many are here besides who are ignored: " (1 ignored)"; empty: nobody.
func Hidden(s node.Snapshot) string {
	n := 0
	for _, p := range s.Ignored {
		if !p.Gone {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d ignored)", n)
}

func stamp(t time.Time) string { return t.Local().Format("2 Jan 2006 15:04") }

// columns sets two columns, indented by two, the second aligned by terminal cells.
func columns(rows [][2]string) []string {
	width := 0
	for _, r := range rows {
		width = max(width, uniseg.StringWidth(r[0]))
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		pad := strings.Repeat(" ", width-uniseg.StringWidth(r[0]))
		lines[i] = strings.TrimRight("  "+r[0]+pad+"  "+r[1], " ")
	}
	return lines
}
