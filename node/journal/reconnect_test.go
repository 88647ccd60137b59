package journal_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest/disk"
	"earshot/node/wire"
)

// A meter counts what passes one end of a connection, and looks at every write how much memory is in use.
type meter struct {
	net.Conn
	mu      sync.Mutex
	in, out int64
	heap    uint64 // the most
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.in += int64(n)
	return n, err
}

func (m *meter) Write(b []byte) (int, error) {
	m.mu.Lock()
	m.out += int64(len(b))
	m.heap = max(m.heap, heap())
	m.mu.Unlock()
	return m.Conn.Write(b)
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// resident is what the process has of the machine's memory, with what SQLite takes beside Go's heap, and what it had at most since it was last asked to; 0 where that cannot be known.
func resident(restart bool) (now, most int64) {
	if restart {
		debug.FreeOSMemory()
		os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	}
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &now)
		fmt.Sscanf(line, "VmHWM: %d kB", &most)
	}
	return now << 10, most << 10
}

// A hundred days of 250 people in five rooms: it opens with a glance, and two who differ in what was said in the last minutes, both of whom have said something, become equal for little,
// however many logs there are. Reading, sending or keeping a little of each, or of each of today, would be too much.
func TestReconnectAfterMonths(t *testing.T) {
	people := 250
	if race {
		people = 10 // SQLite is slow under the detector
	}
	dirs := [2]string{t.TempDir(), t.TempDir()}
	disks := [2]*disk.Disk{disk.Under(t, dirs[0]), disk.Under(t, dirs[1])}
	synctest.Test(t, func(t *testing.T) {
		year := journal.Year{Days: 100}
		year.Build(t, dirs[0], people, uint32(time.Now().Unix()/86_400))
		year.Copy(t, dirs[0], dirs[1])
		before, _ := resident(true)
		began := heap()
		var js [2]*journal.Journal
		for i, dir := range dirs {
			read := disks[i].Read()
			j, err := journal.Open(journal.Config{Dir: dir, Network: year.Network})
			if err != nil {
				t.Fatal(err)
			}
			if read = disks[i].Read() - read; read > 256<<10 {
				t.Errorf("%d bytes were read to open it", read)
			} else {
				t.Logf("%d bytes were read to open it", read)
			}
			js[i] = j
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- j.Run(ctx) }()
			defer func() {
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
		}
		opened := heap()
		total := len(year.Today) * year.Days
		if logs := count(t, js[0]); logs != len(year.Today) {
			t.Fatalf("%d logs today", logs)
		}
		// The others go on talking while the client is away, and the client says something too.
		for i := range 40 {
			goOn(t, js[0], &year, i, fmt.Sprint("while you were away ", i))
		}
		for i := range 10 {
			goOn(t, js[1], &year, 40+i, fmt.Sprint("while I was away ", i))
		}
		author := js[1].NewAuthor(year.Who[0], "person 0")
		if _, _, _, err := author.Write(t.Context(), message.Public, message.Room("go"), "go", message.Text, []byte("a new process")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		read := disks[0].Read() + disks[1].Read()
		a, b := net.Pipe()
		m := &meter{Conn: a}
		for i, c := range []net.Conn{m, b} {
			x := exchange.New(exchange.Config{Journal: js[i], Host: identity.HostID{byte(i)}})
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() {
				x.Run(ctx, &exchange.Link{Conn: c, Reader: wire.NewReader(c), Peer: year.Who[1-i].ID(), Hub: i == 0, Silence: 5 * time.Second, Ping: 250 * time.Millisecond,
					Session: identity.Session{byte(i)}, Host: identity.HostID{byte(1 - i)}})
			})
			defer func() { stop(); running.Wait() }()
		}
		time.Sleep(500 * time.Millisecond)
		var roots [2]message.Hash
		for i, j := range js {
			var err error
			if roots[i], err = j.Root(message.Public, 0, 1<<31); err != nil {
				t.Fatal(err)
			}
		}
		if roots[0] != roots[1] {
			t.Error("they are not equal")
		}
		m.mu.Lock()
		in, out, most := m.in, m.out, m.heap
		m.mu.Unlock()
		_, peak := resident(false)
		t.Logf("%d logs: the hub got %d bytes and sent %d; %d bytes were read from the disks; the heap grew by %d bytes to open two stores and by %d at most, the process by %d",
			total, in, out, disks[0].Read()+disks[1].Read()-read, int64(opened-began), int64(most-began), peak-before)
		if in > 64<<10 || out > 64<<10 {
			t.Errorf("the hub got %d bytes and sent %d", in, out)
		}
		if grown := max(int64(most-began), peak-before); grown > 40<<20 && !race {
			t.Errorf("two stores took %d bytes", grown)
		}
	})
}

// count is how many logs j has today.
func count(t *testing.T, j *journal.Journal) (n int) {
	t.Helper()
	for after := (message.LogID{}); ; {
		heads, more, err := j.Heads(message.Public, j.Today(), after, 500)
		if err != nil {
			t.Fatal(err)
		}
		if n += len(heads); !more {
			return n
		}
		after = heads[len(heads)-1].Log
	}
}

// goOn adds a message to one of today's logs.
func goOn(t *testing.T, j *journal.Journal, y *journal.Year, i int, text string) {
	t.Helper()
	i *= len(y.Today) / 50 // all over the day
	first := y.Today[i]
	run := &message.Run{Log: first.Log, First: 2, Prev: first.Hashes()[0], Records: []message.Record{message.Body(first.Records[0].HLC+1, message.Text, []byte(text))}}
	run.Sign(y.Who[i%len(y.Who)])
	if n, err := j.Append(t.Context(), run, 1, journal.Live); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}
