// Package instance runs whole nodes on a simulated network, for stories in fake time: real keys, real SQLite, real TLS, real memberlist, and
// nothing of the program replaced but the wire.
//
// An Instance is one process: Start begins it and the end of the test stops it. Started again under the same host and nick it finds the profile it left.
// A test looks at any number of instances with Until, which lets fake time pass.
//
// Crash cuts the process off and then ends it in good order behind closed doors, so what it had not yet written to disk is written all the same: that a
// real kill leaves a sound profile is shown by package lab.
package instance

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
)

// Lobby is the room where all are.
const Lobby = "#" + message.Lobby

// An Instance is one running node.
type Instance struct {
	*node.Node
	Name    string // the host's, and the nick where the Config gives none
	config  node.Config
	t       testing.TB
	lan     *nodetest.LAN
	host    *nodetest.Host
	process *nodetest.Process
	goodbye func()
	cancel  context.CancelFunc
	ran     chan struct{} // closed when Run and the subscription have ended
	err     error         // of Run, once ran is closed
	ended   bool          // Stop or Crash was called

	mu     sync.Mutex
	events []happened
}

type happened struct {
	at    time.Time
	event node.Event
}

// Start runs a node on a host of the LAN. Of the Config, Net is always set; Dir, HostDir and Nick where they are empty. Hosts are found as long as they are
// not muted.
func Start(t testing.TB, lan *nodetest.LAN, host string, c node.Config) *Instance {
	t.Helper()
	h := lan.Host(host)
	i := &Instance{Name: host, t: t, lan: lan, host: h, process: h.Net(), ran: make(chan struct{})}
	if c.Nick == "" {
		c.Nick = host
	}
	if c.HostDir == "" {
		c.HostDir = filepath.Join(filepath.Dir(t.TempDir()), "host-"+host)
	}
	if c.Dir == "" {
		c.Dir = filepath.Join(c.HostDir, c.Nick)
	}
	c.Net, i.config = i.process, c
	n, err := node.New(c)
	if err != nil {
		t.Fatalf("start %s: %v", host, err)
	}
	i.Node = n
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	var work sync.WaitGroup
	events := n.Events(ctx, -1)
	work.Go(func() { i.collect(events) })
	work.Go(func() {
		defer cancel() // it may end by itself
		i.err = n.Run(ctx)
	})
	work.Go(func() { n.Deliver(ctx, i.courier) })
	go func() {
		defer close(i.ran)
		work.Wait()
	}()
	i.goodbye = i.announce(n)
	t.Cleanup(i.end)
	return i
}

// announce has a node of this process find others and be found.
func (i *Instance) announce(n *node.Node) (goodbye func()) {
	n.Moved([]netip.Addr{i.host.IP()})
	return i.process.Announce(n.Session(), n.Port(),
		func(s [8]byte, at []netip.AddrPort) { n.Found(s, at, []string{i.host.Card(at[0].Addr())}) }, func(s [8]byte) { n.Gone(s) })
}

// courier runs one: see node.Deliver.
func (i *Instance) courier(ctx context.Context, n *node.Node) error {
	defer i.announce(n)()
	return n.Run(ctx)
}

// Moves waits until the node has ended because its network has another key, and starts the one that goes on.
func (i *Instance) Moves(within time.Duration) *Instance {
	i.t.Helper()
	select {
	case <-i.ran:
	case <-time.After(within):
		i.t.Fatalf("%s has not gone to another network within %v", i.Name, within)
	}
	i.ended = true
	i.goodbye()
	c, ok := i.Next()
	if !ok || i.err != nil {
		i.t.Fatalf("%s ended, but not for another network: %v", i.Name, i.err)
	}
	return Start(i.t, i.lan, i.Name, c)
}

// Clone starts a copy of a process on another host: its disk, and what it has in memory, as of a virtual machine that is copied while it runs; with the same session, or
// with one of its own. What the process said must be on its disk.
func (i *Instance) Clone(host string, sameSession bool) *Instance {
	i.t.Helper()
	c := i.config
	c.HostDir = i.t.TempDir()
	dir, err := filepath.Rel(i.config.HostDir, i.config.Dir)
	if err == nil {
		err = os.CopyFS(c.HostDir, os.DirFS(i.config.HostDir))
	}
	for _, secret := range []string{"identity.key", "keyring"} {
		if err == nil {
			err = os.Chmod(filepath.Join(c.HostDir, dir, secret), 0o600)
		}
	}
	if err != nil {
		i.t.Fatalf("copy %s: %v", i.Name, err)
	}
	c.Dir, c.Copied = filepath.Join(c.HostDir, dir), i.Memory()
	if !sameSession {
		c.Copied.Session = identity.Session{}
	}
	return Start(i.t, i.lan, host, c)
}

func (i *Instance) collect(events <-chan []node.Event) {
	for list := range events {
		i.mu.Lock()
		for _, e := range list {
			i.events = append(i.events, happened{time.Now(), e})
		}
		i.mu.Unlock()
	}
}

// Stop ends the node as a user would, and waits until nothing of it is left.
func (i *Instance) Stop() {
	i.t.Helper()
	i.ended = true
	i.cancel()
	i.goodbye()
	select {
	case <-i.ran:
	case <-time.After(stopWithin):
		i.t.Errorf("%s stopped, and still there after %v", i.Name, stopWithin)
		return
	}
	if i.err != nil {
		i.t.Errorf("%s stopped: %v", i.Name, i.err)
	}
}

// Crash kills the process: its connections are reset, it says nothing more to anyone.
func (i *Instance) Crash() {
	i.t.Helper()
	i.ended = true
	i.process.Crash()
	i.cancel()
	select {
	case <-i.ran: // and says that its port was taken from it
	case <-time.After(stopWithin):
		i.t.Errorf("%s crashed, and still there after %v", i.Name, stopWithin)
	}
}

// Freeze stops the process as SIGSTOP does, as far as anyone else can tell; Thaw lets it go on.
func (i *Instance) Freeze() { i.process.Freeze() }
func (i *Instance) Thaw()   { i.process.Thaw() }

// stopWithin is what ending may take: a goodbye to peers that do not answer.
const stopWithin = 10 * time.Second

// end stops what still runs, and tells the story where the test failed.
func (i *Instance) end() {
	i.t.Helper()
	if !i.ended {
		i.Stop()
	}
	if i.t.Failed() {
		for _, h := range i.happened() {
			i.t.Logf("%s %s %T%+v", i.Name, h.at.Format("15:04:05.000"), h.event, h.event)
		}
	}
}

func (i *Instance) happened() []happened {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.events)
}

// Say says text in the lobby. It may be called from any goroutine.
func (i *Instance) Say(text string) {
	i.t.Helper()
	if err := i.Do(context.Background(), node.Say{Room: Lobby, Text: text}); err != nil {
		i.t.Errorf("%s says %q: %v", i.Name, text, err)
	}
}

// Events returns what happened so far.
func (i *Instance) Events() []node.Event {
	var events []node.Event
	for _, h := range i.happened() {
		events = append(events, h.event)
	}
	return events
}

// Heard returns the texts of a room in the order in which they arrived, once for each time they were told.
func (i *Instance) Heard(room string) []string {
	var texts []string
	for _, e := range i.Events() {
		if s, ok := e.(node.Said); ok && s.Room == room {
			texts = append(texts, s.Text)
		}
	}
	return texts
}

// Lines returns a room as it is shown, the newest 10,000: "nick: text" in the order that is the same everywhere.
func (i *Instance) Lines(room string) []string {
	i.t.Helper()
	messages, err := i.Page(room, node.Key{}, 10_000)
	if err != nil {
		i.t.Fatalf("%s shows %s: %v", i.Name, room, err)
	}
	var lines []string
	for _, m := range messages {
		lines = append(lines, m.Nick+": "+m.Text)
	}
	return lines
}

// Dir is the folder of its profile.
func (i *Instance) Dir() string { return i.config.Dir }

// Serving reports whether this node is the hub.
func (i *Instance) Serving() bool { return i.Hub().State == node.Serving }

// Until lets time pass until cond holds.
func Until(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// Meet waits until all are together: one is the hub, the rest are linked to it, and each sees as many people as there are. It returns the hub.
func Meet(t testing.TB, within time.Duration, all ...*Instance) (hub *Instance) {
	t.Helper()
	Until(t, within, fmt.Sprintf("%d together at one hub", len(all)), func() bool {
		hub = nil
		for _, i := range all {
			if i.Serving() {
				if hub != nil {
					return false
				}
				hub = i
			}
		}
		return hub != nil && !slices.ContainsFunc(all, func(i *Instance) bool {
			s := i.Hub()
			return s.HubID != hub.ID() || i.Here() != len(all) || s.State != node.Serving && s.State != node.Linked
		})
	})
	return hub
}
