package hub

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

// idleAt has this test's program, started anew, be the other ends of links: at that address.
const idleAt = "EARSHOT_TEST_IDLE_AT"

const (
	idleLinks = 300
	beat      = silence / 8
)

// idle dials and says HELLO, many times, tells that on stdout, and is not silent until stdin ends.
func idle(t *testing.T, address string) {
	for i := range idleLinks {
		raw, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("idle", i)
		c, err := frames.Gate(t, frames.Identity(t, name)).Dial(t.Context(), raw, identity.ProtoChat, nil)
		if err != nil {
			t.Fatal(err)
		}
		hello := wire.Hello{Version: wire.Version, Session: identity.NewSession(), Nick: name}
		if _, err := c.Write(wire.Append(nil, wire.TypeHello, &hello)); err != nil {
			t.Fatal(err)
		}
		go func() {
			for now := range time.Tick(beat) {
				c.Write(wire.Append(nil, wire.TypeBeat, &wire.Beat{Clock: now.UnixMilli()}))
			}
		}()
	}
	fmt.Println("linked")
	bufio.NewReader(os.Stdin).ReadByte()
}

// A link at rest takes a stack of 2 KB, and 9 KB besides, of which TLS takes 6. The other ends are another process.
func TestIdleLinksAreSmall(t *testing.T) {
	if address := os.Getenv(idleAt); address != "" {
		idle(t, address)
		return
	}
	if race {
		t.Skip("memory is another with the race detector")
	}
	if runtime.GOOS == "windows" {
		t.Skip("a link waits in a read there")
	}
	j, err := journal.Open(journal.Config{Dir: t.TempDir(), Network: network})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	self := frames.Identity(t, "hub")
	h := New(Config{Exchange: exchange.New(exchange.Config{Journal: j}), Self: wire.Person{Session: identity.NewSession(), ID: self.ID(), Nick: "hub"}})
	gate := frames.Gate(t, self)
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { j.Run(ctx) })
	work.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				c, err := gate.Accept(ctx, raw, identity.ProtoChat)
				if err != nil {
					return
				}
				if serve := greetAndBegin(ctx, h, c); serve != nil {
					work.Go(func() { serve() })
				}
			})
		}
	})
	defer work.Wait()
	defer l.Close()
	defer stop()

	before := memory()
	others := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	others.Env = append(os.Environ(), idleAt+"="+l.Addr().String())
	others.Stderr = os.Stderr
	in, err := others.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := others.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := others.Start(); err != nil {
		t.Fatal(err)
	}
	defer others.Wait()
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "linked\n" || err != nil {
		t.Fatal(line, err)
	}
	var stack, heap int
	for range 40 { // what the handshakes left goes with the goroutines that did them, and where the machine is busy that takes a while
		<-time.After(3 * beat) // so that stacks that the collector made small have grown if they do
		after := memory()
		stack, heap = (after.stack-before.stack)/idleLinks, (after.heap-before.heap)/idleLinks
		if h.Followers() == idleLinks && stack < 5<<10 && heap < 13<<10 {
			t.Logf("each of %d links takes %d bytes of stack and %d besides", idleLinks, stack, heap)
			return
		}
	}
	t.Errorf("each of %d links takes %d bytes of stack and %d besides", h.Followers(), stack, heap)
}

func greetAndBegin(ctx context.Context, h *Hub, c *identity.Conn) func() error {
	r, hello := wire.NewReader(c), new(wire.Hello)
	if t, body, err := r.Next(); err == nil && t == wire.TypeHello {
		wire.Decode(body, hello)
	}
	serve, _ := h.Begin(ctx, c, r, hello, nil)
	return serve
}

// usage is what is in use, in bytes.
type usage struct{ stack, heap int }

func memory() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	stack := int(m.StackInuse)
	runtime.GC()
	runtime.GC() // what the first put aside in pools
	runtime.ReadMemStats(&m)
	return usage{stack, int(m.HeapAlloc)}
}
