package plain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// past is a room with n messages in its history; most is of how many a page was.
type past struct{ n, most int }

func (p *past) After(room string, k node.Key, max int) (out []node.Message, err error) {
	if max > p.most {
		p.most = max
	}
	for seq := k.Seq + 1; seq <= uint64(p.n) && len(out) < max; seq++ {
		m := message1(nil).Message
		m.Key.Seq, m.Room, m.At, m.Text = seq, room, m.At.Add(time.Duration(seq)*time.Minute), fmt.Sprintf("line %d\nmore", seq)
		out = append(out, m)
	}
	return out, nil
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("USERPROFILE", filepath.Join(dir, "home"))
	if err := os.Mkdir("home", 0o700); err != nil {
		t.Fatal(err)
	}
	const n = 2*exportPage + 1
	day := time.Now().Format("2006-01-02")
	for name, want := range map[string]string{
		"talk.txt":     "talk.txt",
		"talk.JSONL":   "talk.JSONL",
		"":             "earshot-a-b-" + day + ".txt",
		"home":         "home/earshot-a-b-" + day + ".txt",
		"~/talk.jsonl": "home/talk.jsonl",
	} {
		want = filepath.Join(dir, want)
		from := &past{n: n}
		answer, err := Export(t.Context(), from, "#a/b", name)
		if err != nil || answer != fmt.Sprintf("wrote %d messages of #a/b to %s", n, want) {
			t.Errorf("%q: %q, %v", name, answer, err)
			continue
		}
		b, err := os.ReadFile(want)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := os.Stat(want)
		lines, text := strings.Count(string(b), "\n"), string(b)
		switch {
		case strings.HasSuffix(strings.ToLower(want), ".jsonl"):
			if lines != n || !strings.HasPrefix(text, `{"t":"`) || !strings.Contains(text, `"event":"message","room":"#a/b","nick":"bob"`) || !strings.Contains(text, `"text":"line 1001\nmore"`) {
				t.Errorf("%q: %d lines, %.300s", name, lines, text)
			}
		case lines < 2*n+1 || !strings.HasPrefix(text, "-- Friday 20 November 2026\n") || !strings.HasSuffix(text, " bob: line 1001\n      | more\n"):
			t.Errorf("%q: %d lines, %.300s", name, lines, text)
		}
		if info.Mode().Perm()&0o077 != 0 && filepath.Separator == '/' {
			t.Errorf("%q: %v", name, info.Mode())
		}
		if from.most != exportPage {
			t.Errorf("pages of %d", from.most)
		}
	}
}

// What cannot be written is said with what to do, nothing that is there is touched, and no part of a file stays behind.
func TestExportRefused(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there.txt")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx  context.Context
		from Source
		file string
		want string
	}{
		"there already": {t.Context(), &past{n: 3}, there, there + " is there already, and stays as it is"},
		"no folder":     {t.Context(), &past{n: 3}, filepath.Join(dir, "no", "x.txt"), "there is no folder " + filepath.Join(dir, "no")},
		"nothing said":  {t.Context(), &past{}, filepath.Join(dir, "x.txt"), "nothing was said in #a yet"},
		"cannot read":   {t.Context(), broken{}, filepath.Join(dir, "x.txt"), "the history was not written: the disk is gone"},
		"ended":         {ended, &past{n: 3}, filepath.Join(dir, "x.txt"), "the history was not written: context canceled"},
	} {
		answer, err := Export(c.ctx, c.from, "#a", c.file)
		var e *node.Error
		if !errors.As(err, &e) || answer != "" || e.Text != c.want || e.Hint == "" {
			t.Errorf("%s: %q, %#v", name, answer, err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if b, err := os.ReadFile(there); err != nil || string(b) != "mine" {
		t.Errorf("%s, %v", b, err)
	}
}

// broken tells a page, and then no more.
type broken struct{}

func (broken) After(room string, k node.Key, max int) ([]node.Message, error) {
	if k != (node.Key{}) {
		return nil, errors.New("the disk is gone")
	}
	return (&past{n: exportPage}).After(room, k, max)
}

func TestSearch(t *testing.T) {
	asked := ""
	f := &feed{search: func(query string, older int64, max int) (found node.Found, err error) {
		asked = query
		switch query {
		case "bad:":
			return found, &node.Error{Text: "that is no query", Hint: "try another"}
		case "many":
			found.Hits = make([]node.Hit, max)
		case "fox":
			m := message1(func(s *node.Said) { s.Text, s.At = "a fox\n09:00 carol: forged\x1b[1m", spoken }).Message
			found = node.Found{Hits: []node.Hit{{Message: m, Spans: []node.Span{{Start: 2, End: 5}}}}, Unseen: 1}
		}
		return found, nil
	}}
	at := spoken.Local().Format("2006-01-02 15:04")
	for in, want := range map[string][2]string{
		"/search fox":  {at + " #lobby bob: a fox\n      | 09:00 carol: forged[1m\n00:00 * 1 found; 1 message yet to be indexed\n", `"event":"searched","count":1,"more":false,"unseen":1}`},
		"/search wolf": {"00:00 * nothing is found\n", `"event":"searched","count":0,"more":false}`},
		"/search many": {"00:00 * these are the newest 50, and there are more\n      | hint: narrow", `"event":"searched","count":50,"more":true}`},
		"/search bad:": {"00:00 * that is no query\n      | hint: try another\n", `"text":"that is no query"`},
		"/search":      {"00:00 * search for what?\n", `"text":"search for what?"`},
	} {
		for i, json := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				out, _, err := run(t, Config{In: strings.NewReader(in), JSON: json}, f)
				out = strings.ReplaceAll(out, time.Now().Format("15:04 * "), "00:00 * ")
				if err != nil || !strings.Contains(out, want[i]) || strings.Contains(out, "\x1b") {
					t.Errorf("%s: %v\n%s\nwant\n%s", in, err, out, want[i])
				}
			})
		}
	}
	if asked == "" {
		t.Error("nothing was looked for")
	}
	synctest.Test(t, func(t *testing.T) {
		asked = ""
		out, _, _ := run(t, Config{In: strings.NewReader("/search fox\n/export\n/quit\n"), ServerOnly: true}, f)
		if asked != "" || strings.Count(out, "shows nobody's words") != 2 {
			t.Errorf("a box prints %s", out)
		}
	})
}

// The found object is a promise, as all of --json.
func TestFoundJSON(t *testing.T) {
	h := node.Hit{Message: message1(func(s *node.Said) { s.Kind, s.Edited = message.Action, true }).Message, Spans: []node.Span{{Start: 0, End: 2}}}
	b, err := AppendHit(nil, h, true)
	want := `{"event":"found","room":"#lobby","nick":"bob","author":"` + h.Author.Fingerprint() + `","id":"ab000000000000000000000000000001","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","kind":"action","edited":true,"matches":[[0,2]]}` + "\n"
	if err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
}
