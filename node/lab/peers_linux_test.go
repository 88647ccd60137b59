package lab_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"earshot/node/lab"
)

// A listed instance is a line of earshot peers --json.
type listed struct {
	Event, Nick, ID, Session, Address, With, Software string
	Me, Hub, Away, Answered                           bool
	Class                                             int
	Weight                                            int
	Term                                              uint64
	LinkOnly                                          bool `json:"link_only"`
}

// peersOf reads what earshot peers --json prints, which is well formed whoever has answered in time.
func peersOf(t *testing.T, h *lab.Host, args ...string) (list []listed) {
	t.Helper()
	out, stderr, status := h.Run("", append([]string{"peers", "--json"}, args...)...)
	if status == 3 && out == "" && strings.Contains(stderr, "nobody was found") {
		return nil
	}
	if status != 0 || stderr != "" || out == "" {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
	for line := range strings.Lines(out) {
		var p listed
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, field := range []string{"event", "nick", "id", "session", "me", "hub", "class", "weight", "term", "link_only", "away", "answered"} {
			if !strings.Contains(line, `"`+field+`":`) {
				t.Errorf("no %s: %s", field, line)
			}
		}
		if p.Event != "instance" || len(p.Session) != 16 || p.ID == "" || p.Nick == "" || (p.Software != "") != p.Answered {
			t.Errorf("odd: %s", line)
		}
		list = append(list, p)
	}
	for i, p := range list {
		if p.Hub && i > 0 && !list[i-1].Hub {
			t.Errorf("the hub is not first: %+v", list)
		}
	}
	return list
}

// table reads what earshot peers prints for people, which is well formed whoever has answered in time: who is here, with the role of each, and what is said of the hub.
func table(t *testing.T, h *lab.Host, args ...string) (roles map[string]string, reason string) {
	t.Helper()
	out, stderr, status := h.Run("", append([]string{"peers"}, args...)...)
	if status == 3 && out == "" && strings.Contains(stderr, "nobody was found") {
		return nil, ""
	}
	if status != 0 || stderr != "" {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
	for line := range strings.Lines(out) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	rows, reason, _ := strings.Cut(out, "\n\n")
	head, rows, _ := strings.Cut(rows, "\n")
	tag, role, address := strings.Index(head, "TAG"), strings.Index(head, "ROLE"), strings.Index(head, "ADDRESS")
	if !strings.HasPrefix(head, "NICK") || tag < 0 || role < tag || address < role {
		t.Fatalf("no table: %s", out)
	}
	roles = map[string]string{}
	for row := range strings.SplitSeq(rows, "\n") {
		row = fmt.Sprintf("%-*s", address, row) // of who came by hand none is known
		if row[tag-2:tag] != "  " || row[tag:tag+4] != strings.TrimSpace(row[tag:tag+4]) || row[role-2:role] != "  " || row[address-2:address] != "  " {
			t.Errorf("columns: %s", out)
		}
		if _, err := netip.ParseAddrPort(row[address:]); err != nil && row[address:] != "" {
			t.Errorf("%v: %s", err, out)
		}
		roles[strings.TrimSpace(row[:tag])] = strings.TrimSpace(row[role:address])
	}
	return roles, reason
}

// earshot peers shows who is here, beside an instance that runs and where none does, and nobody is told.
func TestPeers(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	l.Route(5)
	if out, stderr, status := l.Host(4).Run("", "peers", "--timeout", "500ms"); status != 3 || out != "" || !strings.Contains(stderr, "hint: earshot doctor") {
		t.Errorf("nobody is there: status %d, %s%s", status, out, stderr)
	}
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3, "--never-hub"), start(l, 5, "--join", l.Host(1).IP().String())}
	before := looked(t, l, all, func(hub *lab.Process, timeout string) string {
		for _, h := range []*lab.Host{l.Host(4), l.Host(2)} {
			list := peersOf(t, h, "--timeout", timeout)
			if len(list) != 4 || !list[0].Hub || list[0].Session != last(hub, "ready").Session || list[0].Weight != 2 || list[0].Term == 0 {
				return fmt.Sprintf("%+v", list)
			}
			for i, p := range list {
				k := slices.IndexFunc(all, func(q *lab.Process) bool { return last(q, "ready").Session == p.Session })
				class := map[int]int{0: 1, 1: 1}[k]
				if k < 0 || p.Nick != last(all[k], "ready").Me || p.Hub != (i == 0) || p.Class != class || p.LinkOnly != (k == 3) || p.Answered != (k != 3) || p.Me != (h == l.Host(2) && k == 1) ||
					p.Answered && p.With != list[0].Session {
					return fmt.Sprintf("%+v", p)
				}
			}
		}
		return ""
	})
	looked(t, l, all, func(hub *lab.Process, timeout string) string {
		name := last(hub, "ready").Me
		roles, reason := table(t, l.Host(4), "--timeout", timeout)
		want := map[string]string{"host1": "", "host2": "", "host3": "never the hub", "host5": "by hand"}
		want[name] = "hub"
		if !maps.Equal(roles, want) || !strings.HasPrefix(reason, name+" is the hub: class 1 (like most),\nweight 2 (2 to 3 follow it), term ") {
			return fmt.Sprintf("%q\n%s", roles, reason)
		}
		return ""
	})
	say(all[1], "all the same")
	for p, n := range before.events {
		reads(p, "all the same")
		for _, e := range p.Events()[n:] {
			if e.Kind == "peer" || e.Kind == "hub" || e.Kind == "notice" {
				before.errorf(t, "%s was told: %s", p, e.Raw)
			}
		}
	}
}

// looked has see compare what it sees with who is the hub of all, and returns what it said when it began last. On a busy machine an answer may come after the time that see allows for it, or the hub move: then it sees again,
// for longer. It must see right in the end.
func looked(t *testing.T, l *lab.Lab, all []*lab.Process, see func(hub *lab.Process, timeout string) (wrong string)) marks {
	t.Helper()
	for timeout := 1500 * time.Millisecond; ; timeout *= 2 {
		hub := together(t, l, 4*soon, all...)
		<-time.After(time.Second) // the weight comes round
		before := mark(l, all...)
		wrong := see(hub, timeout.String())
		if wrong == "" {
			return before
		}
		if timeout > 20*time.Second {
			t.Fatalf("with %s as the hub: %s", hub, wrong)
		}
		t.Logf("in %v: %s", timeout, wrong)
	}
}
