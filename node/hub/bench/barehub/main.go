// Command barehub is a yardstick: what a hub of this project cannot do without for one message, and nothing else. It has mutual TLS and admission, checks the signature of each run, passes the run on to every other
// link, and acknowledges it when it is on disk. It has no journal, no order, no replication, no limits, no presence, and no patience with a slow link.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"earshot/node/identity"
	"earshot/node/journal/database"
	"earshot/node/message"
	"earshot/node/wire"
)

// hub is the set of links: an immutable slice, replaced when somebody comes or goes.
type hub struct {
	gate *identity.Gate
	keep func(run []byte) error // nil: nothing is kept

	mu    sync.Mutex // is held to replace links
	links atomic.Pointer[[]*identity.Conn]
}

func (h *hub) change(change func([]*identity.Conn) []*identity.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := change(slices.Clone(*h.links.Load()))
	h.links.Store(&next)
}

// serve serves one link until it ends.
func (h *hub) serve(raw net.Conn) error {
	c, err := h.gate.Accept(context.Background(), raw, identity.ProtoChat)
	if err != nil {
		return err
	}
	defer c.Close()
	frames := wire.NewReader(c)
	if t, _, err := frames.Next(); err != nil || t != wire.TypeHello {
		return errors.Join(err, fmt.Errorf("frame %d is no HELLO", t))
	}
	state := wire.State{Store: [16]byte{1}, Groups: []wire.GroupState{{Group: message.Public}}} // the load says that it has the same
	if _, err := c.Write(wire.Append(nil, wire.TypeState, &state)); err != nil {
		return err
	}
	h.change(func(all []*identity.Conn) []*identity.Conn { return append(all, c) })
	defer h.change(func(all []*identity.Conn) []*identity.Conn {
		return slices.DeleteFunc(all, func(o *identity.Conn) bool { return o == c })
	})
	if !c.Awaits() {
		return errors.New("no reading without waiting here")
	}
	for frame := []byte(nil); ; {
		t, body, err := frames.Next()
		switch {
		case err == identity.ErrNothing:
			err = c.Await()
		case err == nil && t == wire.TypeRun:
			frame = wire.AppendFrame(frame[:0], t, body)
			err = h.run(c, frame, body)
		}
		if err != nil {
			return err
		}
	}
}

// run checks a run, passes it on, and acknowledges it.
func (h *hub) run(c *identity.Conn, frame, body []byte) error {
	run, err := message.ParseRun(body)
	if err != nil {
		return err
	}
	hashes, err := run.Verify(c.Peer)
	if err != nil {
		return err
	}
	for _, o := range *h.links.Load() {
		if o != c {
			o.WriteNow(frame) // who does not take it has lost it
		}
	}
	if h.keep == nil {
		return nil
	}
	if err := h.keep(body); err != nil {
		return err
	}
	_, err = c.WriteNow(wire.Append(nil, wire.TypeStable, &wire.Stable{Logs: []wire.StableLog{{Log: run.Log, Seq: run.Last(), Tip: hashes[len(hashes)-1], Copies: 1}}}))
	return err
}

// store returns what keeps runs in an SQLite database in dir, set up as the journal's is: a row each, in a transaction of its own.
func store(dir string) (func([]byte) error, error) {
	db, _, err := database.Open(filepath.Join(dir, "runs.db"), []string{"journal_mode(WAL)", "synchronous(FULL)", "cache_size(-4096)"}, 1)
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec("CREATE TABLE runs(arrival INTEGER PRIMARY KEY, run BLOB)"); err != nil {
		return nil, err
	}
	put, err := db.Prepare("INSERT INTO runs(run) VALUES(?)")
	return func(run []byte) error {
		_, err := put.Exec(run)
		return err
	}, err
}

func serve() error {
	address := flag.String("addr", "127.0.0.1:4327", "where to listen")
	dir := flag.String("data-dir", "", "keep what is said in `folder`; otherwise it is not kept")
	flag.Parse()
	network, err := identity.NewNetwork(message.Lobby, nil)
	if err != nil {
		return err
	}
	who, err := identity.FromSeed(make([]byte, 32))
	if err != nil {
		return err
	}
	gate, err := identity.NewGate(who, network)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	h := &hub{gate: gate}
	h.links.Store(&[]*identity.Conn{})
	if *dir != "" {
		if h.keep, err = store(*dir); err != nil {
			return err
		}
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go h.serve(c)
	}
}

func main() {
	fmt.Fprintln(os.Stderr, serve())
	os.Exit(1)
}
