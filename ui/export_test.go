package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"earshot/node"
)

// /export writes while the screen goes on, and says where; /names says who has spoken in the room.
func TestExportStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		file := filepath.Join(t.TempDir(), "talk.jsonl")
		reading := make(chan struct{})
		f.after = func(room string, k node.Key, max int) ([]node.Message, error) {
			<-reading
			return []node.Message{{Room: room, Nick: "bob", Author: id("bob"), Text: "hello there", At: start}}, nil
		}
		l := run(t, f, Config{})
		f.tell(f.snapshot.Hub)
		f.tell(node.CaughtUp{})
		l.said(1, "bob", "hello there", false)
		l.press("/export "+file, "Enter", "/names", "Enter")
		l.see("4 can read #lobby:")
		l.see("bob    the hub, 0.4 ms, spoke ")
		if _, err := os.Stat(file); err != nil || strings.Contains(strings.Join(l.wait(), "\n"), "wrote") {
			t.Errorf("it is done already, or was not begun: %v", err)
		}
		close(reading)
		l.see("wrote 1 message of #lobby to")
		if b, err := os.ReadFile(file); err != nil || strings.Count(string(b), `"text":"hello there"`) != 1 {
			t.Errorf("%s, %v", b, err)
		}
		l.press("/export "+file, "Enter")
		l.see("give another file") // the line before it breaks where the path is too long
		l.stop()
		l.ended(nil)
	})
}
