package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// What was said alone goes along when others come, also where earshot was started anew, or crashed, meanwhile; but only where nothing speaks for another place.
func TestSaidAloneBeforeARestart(t *testing.T) {
	for name, c := range map[string]struct {
		host   string // where the second process runs
		gone   time.Duration
		crash  bool
		again  bool // the cable is pulled and put back in
		starts int
		heard  bool
	}{
		"in place":              {host: "laptop", gone: time.Second, starts: 1, heard: true},
		"after nine minutes":    {host: "laptop", gone: 9 * time.Minute, starts: 1, heard: true},
		"thrice":                {host: "laptop", gone: 9 * time.Minute, starts: 3, heard: true},
		"crashed":               {host: "laptop", gone: time.Minute, crash: true, starts: 1, heard: true},
		"after eleven minutes":  {host: "laptop", gone: 11 * time.Minute, starts: 1},
		"at another address":    {host: "elsewhere", gone: time.Second, starts: 1},
		"there and back":        {host: "elsewhere laptop", gone: time.Second, starts: 2, heard: true},
		"with the cable pulled": {host: "laptop", gone: time.Second, starts: 1, again: true},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				dir := t.TempDir()
				laptop := instance.Start(t, lan, "laptop", node.Config{Dir: dir, Nick: "laptop"})
				instance.Until(t, time.Second, "it is the hub", laptop.Serving)
				for i := range 3 {
					laptop.Say(fmt.Sprint("alone ", i))
				}
				time.Sleep(3 * time.Second)
				hosts := strings.Fields(c.host)
				for i := range c.starts {
					if c.crash { // with what it had written down by then, and no more
						files, err := filepath.Glob(filepath.Join(dir, "networks", "*", "alone.json"))
						if len(files) != 1 || err != nil {
							t.Fatal("nothing is written down", err)
						}
						b, err := os.ReadFile(files[0])
						if err != nil {
							t.Fatal(err)
						}
						laptop.Crash()
						if err := os.WriteFile(files[0], b, 0o600); err != nil {
							t.Fatal(err)
						}
					} else {
						laptop.Stop()
					}
					time.Sleep(c.gone)
					laptop = instance.Start(t, lan, hosts[i%len(hosts)], node.Config{Dir: dir, Nick: "laptop"})
					time.Sleep(3 * time.Second)
				}
				if c.again {
					unplug(laptop)
					plug(lan, laptop)
				}
				laptop.Say("in the new process")
				bob := instance.Start(t, lan, "bob", node.Config{})
				instance.Meet(t, 10*time.Second, laptop, bob)
				time.Sleep(5 * time.Second)
				want := []string{"laptop: in the new process"}
				if c.heard {
					want = slices.Insert(want, 0, "laptop: alone 0", "laptop: alone 1", "laptop: alone 2")
				}
				if got := bob.Lines(instance.Lobby); !slices.Equal(got, want) {
					t.Errorf("bob has %q", got)
				}
				if got := laptop.Lines(instance.Lobby); len(got) != 4 {
					t.Errorf("the laptop shows %q", got)
				}
				if told := laptop.Heard(instance.Lobby); len(told) != 4 {
					t.Errorf("the laptop was told %q", told)
				}
			})
		})
	}
}

// What others said in the last place goes nowhere, nor what was said there to them.
func TestSaidInCompanyBeforeARestart(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		dir := t.TempDir()
		laptop := instance.Start(t, lan, "laptop", node.Config{Dir: dir, Nick: "laptop"})
		desk := instance.Start(t, lan, "desk", node.Config{})
		instance.Meet(t, 3*time.Second, laptop, desk)
		laptop.Say("to the desk")
		desk.Say("to the laptop")
		same(t, 2*time.Second, 2, laptop, desk)
		desk.Stop()
		laptop.Stop()
		time.Sleep(time.Second) // until what is still on its way of the old processes has come
		laptop = instance.Start(t, lan, "laptop", node.Config{Dir: dir, Nick: "laptop"})
		time.Sleep(3 * time.Second)
		laptop.Say("hello?")
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, laptop, bob)
		time.Sleep(5 * time.Second)
		if got := bob.Lines(instance.Lobby); !slices.Equal(got, []string{"laptop: hello?"}) {
			t.Errorf("bob has %q", got)
		}
	})
}
