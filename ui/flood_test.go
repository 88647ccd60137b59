package ui

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"earshot/node"
	"earshot/node/message"
)

// flood is the nth message of one that says much.
func flood(n uint64) node.Message {
	m := node.Message{Room: "#lobby", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: fmt.Sprintf("line %d of the flood, see https://example.org/%d", n, n), At: start, Key: node.Key{HLC: n}}
	copy(m.ID[:], fmt.Sprintf("id %013d", n))
	return m
}

// watched is a screen that tells when something is shown on it.
type watched struct {
	sized
	shown func()
}

func (w watched) Show() { w.shown(); w.sized.Show() }

// While 1,000 messages a second come for ten seconds, what is typed is on the screen with no time passing; nobody draws more often than a frame allows, however many came.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages, each = 10_000, time.Millisecond
		f := lobby()
		sim := tcell.NewSimulationScreen("UTF-8")
		var draws atomic.Int64
		screen := watched{sized{sim, 80, 24}, func() { draws.Add(1) }}
		ended := make(chan error)
		go func() { ended <- Run(t.Context(), Config{Node: f, Screen: screen}) }()
		synctest.Wait()
		draws.Store(0)
		typed := ""
		for n := range uint64(messages) {
			f.tell(node.Said{Message: flood(n)})
			time.Sleep(each)
			if n%100 != 0 {
				continue
			}
			letter := rune('a' + n/100%26)
			typed += string(letter)
			sim.InjectKey(tcell.KeyRune, letter, tcell.ModNone)
			synctest.Wait() // no time passes here
			if rows := text(sim); !strings.Contains(strings.Join(rows[len(rows)-3:], ""), typed[max(0, len(typed)-20):]) {
				t.Fatalf("%q is not on the screen:\n%s", typed, strings.Join(rows, "\n"))
			}
		}
		frames := int(messages * each / frame)
		if drawn, most := int(draws.Load()), frames+2*messages/100; drawn > most || drawn < frames/2 {
			t.Errorf("drawn %d times, %d are enough", drawn, most)
		}
		time.Sleep(frame)
		synctest.Wait()
		if rows := text(sim); !slices.ContainsFunc(rows, func(r string) bool { return strings.Contains(r, fmt.Sprintf("line %d of the flood", messages-1)) }) {
			t.Errorf("the last line is not there:\n%s", strings.Join(rows, "\n"))
		}
		sim.InjectKey(tcell.KeyCtrlQ, 0, tcell.ModCtrl)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A key does not wait for messages that were there before it: of 5,000 hardly any are taken in before it is seen.
func TestFloodYields(t *testing.T) {
	const together = 16 // as they come from a node
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		sim := tcell.NewSimulationScreen("UTF-8")
		hold, waiting, left := make(chan struct{}), false, -1
		screen := watched{sized{sim, 80, 24}, func() {
			if rows := text(sim); left < 0 && strings.Contains(rows[len(rows)-2], "> typed") {
				left = together * len(f.events)
			}
			if waiting {
				waiting = false
				<-hold
			}
		}}
		ended := make(chan error)
		go func() { ended <- Run(t.Context(), Config{Node: f, Screen: screen}) }()
		synctest.Wait()
		waiting = true
		sim.InjectKey(tcell.KeyCtrlL, 0, tcell.ModCtrl) // its drawing is held up
		synctest.Wait()
		for n := uint64(0); n < 5000; n += together {
			var list []node.Event
			for i := range uint64(together) {
				list = append(list, node.Said{Message: flood(n + i)})
			}
			f.tell(list...)
		}
		for _, r := range "typed" {
			sim.InjectKey(tcell.KeyRune, r, tcell.ModNone)
		}
		synctest.Wait()
		close(hold)
		synctest.Wait()
		if left < 4500 { // the loop takes by chance what is there: that a key is ten lists late is rare, that five are 31 late does not happen
			t.Errorf("%d of 5000 messages were yet to come when the key was seen", left)
		}
		sim.InjectKey(tcell.KeyCtrlQ, 0, tcell.ModCtrl)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What was typed while the screen was being drawn is drawn together: what a terminal pastes as keys is not drawn letter by letter.
func TestTypedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const typed = "what is pasted as keys comes all at once"
		sim := tcell.NewSimulationScreen("UTF-8")
		hold, waiting, draws := make(chan struct{}), false, 0
		screen := watched{sized{sim, 80, 24}, func() {
			if draws++; waiting {
				waiting = false
				<-hold
			}
		}}
		ended := make(chan error)
		go func() { ended <- Run(t.Context(), Config{Node: lobby(), Screen: screen}) }()
		synctest.Wait()
		waiting, draws = true, 0
		sim.InjectKey(tcell.KeyCtrlL, 0, tcell.ModCtrl) // its drawing is held up
		for _, r := range typed {
			synctest.Wait()
			sim.InjectKey(tcell.KeyRune, r, tcell.ModNone)
		}
		close(hold)
		synctest.Wait() // no time passes here
		if rows := text(sim); !strings.Contains(rows[len(rows)-2], "> "+typed) {
			t.Errorf("what was typed is not on the screen:\n%s", strings.Join(rows, "\n"))
		}
		if draws > 3 {
			t.Errorf("drawn %d times for %d letters", draws, len(typed))
		}
		sim.InjectKey(tcell.KeyCtrlQ, 0, tcell.ModCtrl)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A flood of 1,000 messages a second, as the loop takes it in: what comes in the time of one frame, and then one drawing. An operation is a frame; cpu-% is what part of
// a core it takes, and max-ms the longest that a key waits for its turn. Beside it, tview's own list of text, in which a screenful of lines is all there is to wrap.
func BenchmarkFlood(b *testing.B) {
	perFrame := int(1000 * frame / time.Second)
	measure := func(b *testing.B, add func(node.Message), draw func()) {
		longest, seq := time.Duration(0), uint64(0)
		for b.Loop() {
			began := time.Now()
			for range perFrame {
				seq++
				add(flood(seq))
			}
			draw()
			longest = max(longest, time.Since(began))
		}
		b.ReportMetric(100*float64(b.Elapsed())/float64(b.N)/float64(frame), "cpu-%")
		b.ReportMetric(float64(longest.Microseconds())/1000, "max-ms")
	}
	b.Run("screen", func(b *testing.B) {
		s := newStage(b, 120, 40, lobby(), Config{})
		measure(b, func(m node.Message) { s.apply(node.Said{Message: m}) }, s.draw)
	})
	b.Run("tview.TextView", func(b *testing.B) {
		s := newStage(b, 120, 40, lobby(), Config{})
		v := tview.NewTextView().SetMaxLines(20_000).ScrollToEnd()
		v.SetRect(0, 0, 80, 38)
		measure(b, func(m node.Message) {
			fmt.Fprintf(v, "%s %s\n      %s\n", m.At.Format("15:04"), m.Nick, m.Text)
		}, func() { s.sim.Clear(); v.Draw(s.sim); s.sim.Show() })
	})
}
