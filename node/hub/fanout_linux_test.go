package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/lab"
	"earshot/node/message"
	"earshot/node/wire"
)

// inside marks the process that makes the load, in a namespace of its own.
const inside = "EARSHOT_FANOUT"

func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		if err := generate(os.Getenv(inside)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		os.Exit(lab.Main(m))
	}
	os.Exit(m.Run())
}

const (
	receivers = 100
	payload   = 100 // bytes
	warmUp    = 500 * time.Millisecond
	measured  = 2 * time.Second
)

// result is what one run of one server gave.
type result struct {
	Deliveries float64 // per second
	CPU        float64 // of the server, µs per delivery
}

// BenchmarkFanout has one author send to 100 followers over TLS through the real binary, the author at most window messages ahead of the slowest, and the same through
// nats-server (plain TCP) where that is in PATH. Compare the figures of one run only.
func BenchmarkFanout(b *testing.B) {
	for _, window := range []int{1000, 1} {
		for _, server := range []string{"earshot", "earshot-no-history", "nats"} {
			b.Run(fmt.Sprintf("window=%d/%s", window, server), func(b *testing.B) {
				if server == "nats" {
					if _, err := exec.LookPath("nats-server"); err != nil {
						b.Skip("nats-server is not in PATH")
					}
				}
				h := lab.New(b, 1).Host(1)
				var sum result
				for b.Loop() {
					var r result
					self, err := os.Executable()
					if err != nil {
						b.Fatal(err)
					}
					cmd := h.Command(self)
					cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%s %d %s %s", inside, server, window, b.TempDir(), os.Getenv("EARSHOT_LAB_BINARY")))
					cmd.Stderr = os.Stderr
					out, err := cmd.Output()
					if err == nil {
						err = json.Unmarshal(out, &r)
					}
					if err != nil {
						b.Fatal(err)
					}
					sum.Deliveries += r.Deliveries
					sum.CPU += r.CPU
				}
				b.ReportMetric(sum.Deliveries/float64(b.N), "deliveries/s")
				b.ReportMetric(sum.CPU/float64(b.N), "server-µs/delivery")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// generate starts a server and loads it, and prints the result.
func generate(spec string) error {
	var server, dir, name string
	var window int
	if _, err := fmt.Sscan(spec, &server, &window, &dir, &name); err != nil {
		return err
	}
	if err := exec.Command("ip", "link", "set", "lo", "up").Run(); err != nil {
		return err
	}
	run, args := earshot, []string{"--server-only", "--rate", "0", "--per-ip", "0", "--port", "4327", "--data-dir", dir, "--plain", "--json"}
	switch server {
	case "earshot-no-history":
		args = append(args, "--no-history")
	case "nats":
		run, name, args = nats, "nats-server", []string{"-a", "127.0.0.1", "-p", "4327"}
	}
	cmd := exec.Command(name, args...)
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for start := time.Now(); ; {
		c, err := net.Dial("tcp", "127.0.0.1:4327")
		if err == nil {
			c.Close()
			break
		}
		if time.Since(start) > 10*time.Second {
			out, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%s does not listen: %w\n%s", server, err, out)
		}
	}
	l := &load{window: int64(window), counts: make([]atomic.Int64, receivers)}
	failed := make(chan error, receivers+1)
	publish, err := run(l, failed)
	if err != nil {
		return err
	}
	go func() { failed <- l.send(publish) }()
	select {
	case err := <-failed:
		return err
	case <-time.After(warmUp):
	}
	n, cpu, begun := l.total(), cpuTime(cmd.Process.Pid), time.Now()
	select {
	case err := <-failed:
		return err
	case <-time.After(measured):
	}
	n, cpu = l.total()-n, cpuTime(cmd.Process.Pid)-cpu
	if n == 0 {
		return fmt.Errorf("%s delivered nothing", server)
	}
	return json.NewEncoder(os.Stdout).Encode(result{Deliveries: float64(n) / time.Since(begun).Seconds(), CPU: float64(cpu.Microseconds()) / float64(n)})
}

// cpuTime is what a process has used so far.
func cpuTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// load is the window between one author and its receivers.
type load struct {
	window int64
	counts []atomic.Int64
}

func (l *load) total() (n int64) {
	for i := range l.counts {
		n += l.counts[i].Load()
	}
	return n
}

func (l *load) slowest() int64 {
	low := l.counts[0].Load()
	for i := range l.counts {
		low = min(low, l.counts[i].Load())
	}
	return low
}

// send publishes as the window allows, in stretches of up to 256.
func (l *load) send(publish func(n int) error) error {
	for sent := int64(0); ; {
		n := min(l.window-(sent-l.slowest()), message.MaxRecords)
		if n < min(l.window, 64) {
			time.Sleep(20 * time.Microsecond)
			continue
		}
		if err := publish(int(n)); err != nil {
			return err
		}
		sent += n
	}
}

// nats subscribes the receivers and returns the publisher.
func nats(l *load, failed chan<- error) (func(int) error, error) {
	connect := func(sub string) (net.Conn, *bufio.Reader, error) {
		c, err := net.Dial("tcp", "127.0.0.1:4327")
		if err != nil {
			return nil, nil, err
		}
		r := bufio.NewReaderSize(c, 64<<10)
		if _, err := r.ReadString('\n'); err != nil { // INFO
			return nil, nil, err
		}
		if _, err = io.WriteString(c, "CONNECT {\"verbose\":false}\r\n"+sub+"PING\r\n"); err != nil {
			return nil, nil, err
		}
		line, err := r.ReadString('\n')
		if err == nil && line != "PONG\r\n" {
			err = fmt.Errorf("nats-server: %q", line)
		}
		return c, r, err
	}
	for i := range l.counts {
		_, r, err := connect("SUB room 1\r\n")
		if err != nil {
			return nil, err
		}
		go func() {
			one := len(fmt.Sprintf("MSG room 1 %d\r\n", payload)) + payload + 2
			for {
				if _, err := r.Discard(one); err != nil {
					failed <- err
					return
				}
				l.counts[i].Add(1)
			}
		}()
	}
	c, _, err := connect("")
	one := []byte(fmt.Sprintf("PUB room %d\r\n%s\r\n", payload, strings.Repeat("x", payload)))
	return func(n int) error {
		_, err := c.Write(bytes.Repeat(one, n))
		return err
	}, err
}

// earshot links the receivers and an author, and returns its publisher.
func earshot(l *load, failed chan<- error) (func(int) error, error) {
	network, err := identity.NewNetwork(message.Lobby, nil)
	if err != nil {
		return nil, err
	}
	connect := func(name string) (*identity.Conn, *wire.Reader, *identity.Identity, error) {
		seed := make([]byte, 32)
		copy(seed, name)
		who, err := identity.FromSeed(seed)
		if err != nil {
			return nil, nil, nil, err
		}
		gate, err := identity.NewGate(who, network)
		if err != nil {
			return nil, nil, nil, err
		}
		raw, err := net.Dial("tcp", "127.0.0.1:4327")
		if err != nil {
			return nil, nil, nil, err
		}
		c, err := gate.Dial(context.Background(), raw, identity.ProtoChat, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		r := wire.NewReader(c)
		hello := wire.Hello{Version: wire.Version, Software: "fanout", Session: identity.NewSession(), Nick: name, LinkOnly: true}
		if _, err := c.Write(wire.Append(nil, wire.TypeHello, &hello)); err != nil {
			return nil, nil, nil, err
		}
		for {
			t, body, err := r.Next()
			if err != nil {
				return nil, nil, nil, err
			}
			if t != wire.TypeState {
				continue
			}
			var s wire.State
			if err := wire.Decode(body, &s); err != nil {
				return nil, nil, nil, err
			}
			s.Reply = false // and otherwise the same: nothing to catch up on
			_, err = c.Write(wire.Append(nil, wire.TypeState, &s))
			return c, r, who, err
		}
	}
	for start := time.Now(); ; { // until the server has taken the seat
		c, _, _, err := connect("first")
		if err == nil {
			c.Close()
			break
		}
		if time.Since(start) > 10*time.Second {
			return nil, err
		}
	}
	alive := func(c net.Conn) {
		for range time.Tick(time.Second) {
			if _, err := c.Write(wire.AppendFrame(nil, wire.TypePing, nil)); err != nil {
				return
			}
		}
	}
	for i := range l.counts {
		c, r, _, err := connect(fmt.Sprintf("r%d", i))
		if err != nil {
			return nil, err
		}
		go alive(c)
		go func() {
			for {
				t, body, err := r.Next()
				if err != nil {
					failed <- err
					return
				}
				if t == wire.TypeRun {
					run, err := message.ParseRun(body)
					if err != nil {
						failed <- err
						return
					}
					l.counts[i].Add(int64(len(run.Records)))
				}
			}
		}()
	}
	c, r, who, err := connect("author")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			if _, _, err := r.Next(); err != nil {
				failed <- err
				return
			}
		}
	}()
	now := time.Now()
	o := &message.Opening{Network: network.ID(), Room: message.Room(message.Lobby), Author: who.ID(), Day: uint32(now.Unix() / 86400), Nick: "author", Name: message.Lobby}
	text := []byte(strings.Repeat("x", payload))
	seq, hlc, prev := uint64(0), uint64(now.UnixMilli())<<16, o.Hash()
	var b []byte
	return func(n int) error {
		run := message.Run{Log: o.Log(), First: seq + 1, Prev: prev}
		if seq == 0 {
			run.Opening = o
		}
		for range n {
			hlc++
			run.Records = append(run.Records, message.Body(hlc, message.Text, text))
		}
		run.Sign(who)
		hashes := run.Hashes()
		seq, prev = run.Last(), hashes[len(hashes)-1]
		b = wire.AppendFrame(b[:0], wire.TypeRun, run.Append(nil))
		_, err := c.Write(b)
		return err
	}, nil
}
