package transcript

import (
	"slices"
	"strings"
	"testing"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/look"
)

// What becomes of a message is shown where it stands, and in what answers it.
func TestChange(t *testing.T) {
	l := New(look.New(0, look.Theme{Colours: look.Mono}))
	s := screen(t, 50, 8)
	first := msg(0, "moring to all of you, dear colleagues, friends")
	answer := msg(1, "hi")
	answer.Nick, answer.Author[0] = "carol", 'c'
	answer.Kind, answer.Quote = message.Reply, node.Quote{ID: first.ID, Nick: "bob", Text: "moring to all of you, dear colleagues, friends"}
	for _, m := range []node.Message{first, answer} {
		l.Add(node.Said{Message: m}, "alice", false)
	}
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, r := range rows(s, l, 50, 8) {
			if r = strings.TrimRight(r, " "); r != "" && !strings.Contains(r, "──") {
				got = append(got, r)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("shown\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	check("09:00 bob", "      moring to all of you, dear colleagues,", "      friends", "09:00 carol", "      │ bob: moring to all of you, dear colleague…", "      hi")
	first.Text, first.Edited = "morning to all of you, dear people of here", true
	first.Reactions = []node.Reaction{{Emoji: "👍", Count: 2}, {Emoji: "[red]", Count: 1}}
	l.Change(first, "alice", true)
	check("09:00 bob", "      morning to all of you, dear people of here", "      (edited)", "      👍 2  [red] 1", "09:00 carol", "      │ bob: morning to all of you, dear people o…", "      hi")
	first.Text = "morning"
	l.Change(first, "alice", true)
	check("09:00 bob", "      morning (edited)", "      👍 2  [red] 1", "09:00 carol", "      │ bob: morning", "      hi")
	first.Text, first.Edited, first.Redacted, first.Reactions = "", false, true, nil
	l.Change(first, "alice", true)
	check("09:00 bob", "      message deleted", "09:00 carol", "      │ bob · message deleted", "      hi")
	r := l.Recent("#lobby", 5)
	if len(r) != 2 || r[0].ID != first.ID || !r[0].Redacted || r[1].Text != "hi" || r[1].Ref() != answer.Ref() {
		t.Errorf("recent: %+v", r)
	}
	if r := l.Recent("#lobby", 1); len(r) != 1 || r[0].ID != answer.ID {
		t.Errorf("recent: %+v", r)
	}
}

// While the user has scrolled up a change further up or down moves nothing that is at the top.
func TestChangeWhileScrolledUp(t *testing.T) {
	l := New(look.New(0, look.Theme{Colours: look.Mono}))
	s := screen(t, 40, 10)
	page := history(0, 60)
	for _, m := range page {
		l.Add(node.Said{Message: m, History: true}, "alice", false)
	}
	rows(s, l, 40, 10)
	l.Scroll(-25)
	before := rows(s, l, 40, 10)[0]
	for _, i := range []int{2, 55} {
		page[i].Text, page[i].Edited = strings.Repeat("much longer than before ", 9), true
		page[i].Reactions = []node.Reaction{{Emoji: "👍", Count: 1}}
		l.Change(page[i], "alice", true)
	}
	if after := rows(s, l, 40, 10)[0]; after != before || strings.TrimSpace(after) == "" {
		t.Errorf("%q is at the top, and was %q", after, before)
	}
}

// An answer that comes before what it answers, as the newest day of what others had does, shows that when it has come; nobody deleted it.
func TestAnswerComesFirst(t *testing.T) {
	s := screen(t, 60, 8)
	l := newList()
	first, answer := msg(0, "shall we?\nnow"), msg(1, "yes")
	first.Nick = "bob"
	answer.Kind, answer.Quote = message.Reply, node.Quote{ID: first.ID}
	l.Add(node.Said{Message: answer, History: true}, "alice", false)
	if got := strings.Join(rows(s, l, 60, 8), "\n"); strings.Contains(got, deleted) || !strings.Contains(got, "│ a message that is not here") {
		t.Errorf("before it comes:\n%s", got)
	}
	l.Add(node.Said{Message: first, History: true}, "alice", false)
	if got := strings.Join(rows(s, l, 60, 8), "\n"); !strings.Contains(got, "│ bob: shall we?\n") {
		t.Errorf("when it has come:\n%s", got)
	}
	if len(l.answers) > 0 {
		t.Errorf("%d are waited for", len(l.answers))
	}
}
