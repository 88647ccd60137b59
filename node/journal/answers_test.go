package journal

import (
	"slices"
	"strings"
	"testing"

	"earshot/node/message"
)

// What is served again is not read again, until what is on disk changes: what was deleted is not served from memory, from another log of its author's either.
func TestServedAgain(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	alice, elsewhere := j.NewAuthor(person(t, 1), "alice"), j.NewAuthor(person(t, 1), "alice")
	say(t, alice, "one")
	target := ref(say(t, alice, "secret"))
	shown(t, j) // indexed, and on disk
	first := func() (at *byte) {
		for data, err := range j.Serve(target.Log, 1) {
			if err != nil {
				t.Fatal(err)
			}
			return &data[0]
		}
		return nil
	}
	served := first()
	if got := bodies(t, j, target.Log, 1); !slices.Equal(got, []string{"one", "secret"}) || first() != served {
		t.Errorf("served again: %q, or it was read again", got)
	}
	if got := bodies(t, j, target.Log, 2); !slices.Equal(got, []string{"secret"}) {
		t.Errorf("from 2 on is served %q", got)
	}
	tell(t, elsewhere, message.Redact, refs(target))
	shown(t, j) // indexed, and on disk
	if got := bodies(t, j, target.Log, 1); !slices.Equal(got, []string{"one", ""}) {
		t.Errorf("after a redaction is served %q", got)
	}
	say(t, alice, "two")
	shown(t, j) // indexed, and on disk
	if got := bodies(t, j, target.Log, 1); !slices.Equal(got, []string{"one", "", "two"}) {
		t.Errorf("after one more is served %q", got)
	}
}

// However much is served, little of it is kept.
func TestAnswersAreBounded(t *testing.T) {
	var a answers
	_, rewrite := a.get(stretch{})
	for i := range uint64(10 * maxHeld / maxStretch) {
		a.put(stretch{from: i}, [][]byte{make([]byte, maxStretch)}, rewrite)
		if runs, _ := a.get(stretch{from: i}); runs == nil || a.bytes > maxHeld || len(a.runs) > maxHeld/maxStretch {
			t.Fatalf("after %d: %d bytes in %d, the last is among them: %v", i, a.bytes, len(a.runs), runs != nil)
		}
		a.putHeads(headPage{day: uint32(i)}, 1, headsHeld{})
		if len(a.heads) > maxHeadPages {
			t.Fatalf("%d pages of heads", len(a.heads))
		}
	}
	a.put(stretch{from: 1 << 20}, [][]byte{make([]byte, maxStretch+1)}, rewrite)
	a.clear()
	a.put(stretch{}, [][]byte{{1}}, rewrite) // read before
	if a.bytes != 0 || len(a.runs) != 0 {
		t.Errorf("%d bytes are kept", a.bytes)
	}
}

// Heads are told as they are now, however often they were asked for.
func TestHeadsAgain(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	alice, bob := j.NewAuthor(person(t, 1), "alice"), j.NewAuthor(person(t, 2), "bob")
	want := map[message.LogID]uint64{}
	for i, a := range []*Author{alice, bob, alice, alice, bob} {
		_, key := say(t, a, strings.Repeat("x", i+1))
		want[key.Log]++
		for range 2 {
			for _, h := range heads(t, j) {
				if h.Seq != want[h.Log] {
					t.Errorf("after %d messages one has %d, want %d", i+1, h.Seq, want[h.Log])
				}
			}
			if n := len(heads(t, j)); n != len(want) {
				t.Errorf("after %d messages there are %d heads", i+1, n)
			}
		}
	}
}
