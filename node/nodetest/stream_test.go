package nodetest_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest"
)

func TestStreamKeepsOrderAndTakesTime(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		start := time.Now()
		write(t, a, "hello")
		wantElapsed(t, start, 0, 0)
		wantRead(t, b, "hello")
		wantElapsed(t, start, 200*time.Microsecond, time.Millisecond)

		const n = 3 << 20
		go func() {
			a.Write(pattern(n))
			a.Close()
		}()
		wantPattern(t, b, n)
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("after the last byte: %v", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan) // the listener's host was named first
		from, ok := b.RemoteAddr().(*net.TCPAddr)
		if !ok || from.IP.String() != "10.0.0.2" || from.String() != a.LocalAddr().String() {
			t.Errorf("the listener sees %v (%T)", b.RemoteAddr(), b.RemoteAddr())
		}
		if a.RemoteAddr().String() != "10.0.0.1:4327" {
			t.Errorf("the dialler sees %v", a.RemoteAddr())
		}
	})
}

func TestWriterBlocksUntilReaderReads(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		a.SetWriteDeadline(time.Now().Add(time.Second))
		start := time.Now()
		n, err := a.Write(pattern(1 << 20))
		wantTimeout(t, err)
		wantElapsed(t, start, time.Second, time.Second)
		if n != 256<<10 {
			t.Fatalf("%d bytes fit; want 256 KiB", n)
		}
		a.SetWriteDeadline(time.Time{})
		done := make(chan error)
		go func() {
			_, err := a.Write(pattern(1 << 20)[n:])
			done <- err
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("wrote past the window: %v", err)
		default:
		}
		wantPattern(t, b, 1<<20)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		start := time.Now()
		b.SetReadDeadline(start.Add(3 * time.Second))
		_, err := b.Read(make([]byte, 1))
		wantTimeout(t, err)
		wantElapsed(t, start, 3*time.Second, 3*time.Second)

		// It holds until it is moved, even where there is something to read.
		write(t, a, "x")
		time.Sleep(time.Second)
		_, err = b.Read(make([]byte, 1))
		wantTimeout(t, err)
		b.SetReadDeadline(time.Time{})
		wantRead(t, b, "x")

		// Moving it while a read waits counts for that read: later, then to the past.
		b.SetReadDeadline(time.Now().Add(time.Second))
		result := make(chan error)
		go func() {
			_, err := b.Read(make([]byte, 1))
			result <- err
		}()
		synctest.Wait()
		start = time.Now()
		b.SetDeadline(start.Add(time.Hour))
		time.Sleep(10 * time.Second)
		b.SetDeadline(time.Unix(1, 0))
		wantTimeout(t, <-result)
		wantElapsed(t, start, 10*time.Second, 10*time.Second)
		_, err = b.Write([]byte("x"))
		wantTimeout(t, err)
	})
}

func TestCloseOnThisSide(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, _ := pair(t, lan)
		reading, writing := make(chan error), make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 1))
			reading <- err
		}()
		go func() {
			_, err := a.Write(make([]byte, 1<<20))
			writing <- err
		}()
		synctest.Wait()
		a.Close()
		wantErr(t, "waiting read", <-reading, net.ErrClosed)
		wantErr(t, "waiting write", <-writing, net.ErrClosed)
		_, err := a.Write([]byte("x"))
		wantErr(t, "write", err, net.ErrClosed)
		wantErr(t, "deadline", a.SetDeadline(time.Now()), net.ErrClosed)
		wantErr(t, "close", a.Close(), net.ErrClosed)
	})
}

func TestCloseOnTheOtherSide(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		write(t, a, "last words")
		a.Close()
		write(t, b, "into the void") // as with TCP, the first write tells nothing
		time.Sleep(time.Second)
		_, err := b.Write([]byte("x"))
		wantErr(t, "write after the answer", err, syscall.ECONNRESET)
		wantRead(t, b, "last words")
	})
}

func TestCloseWithUnreadInputResets(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		write(t, b, "never read")
		time.Sleep(time.Second)
		write(t, a, "bye")
		a.Close()
		wantRead(t, b, "bye")
		_, err := b.Read(make([]byte, 1))
		wantErr(t, "read", err, syscall.ECONNRESET)
	})
}

func TestBlockedWriterHearsThatTheReaderWentAway(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		result := make(chan error)
		go func() {
			_, err := a.Write(make([]byte, 1<<20))
			result <- err
		}()
		time.Sleep(time.Second)
		b.Close()
		wantErr(t, "write", <-result, syscall.ECONNRESET)
	})
}

func TestCrashWhileBothWrite(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		l, _ := listen(t, lan.Host("b").Net())
		a := dial(t, lan.Host("a").Net(), l.Addr().String())
		b, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		writing, dying := make(chan error), make(chan error)
		go func() {
			_, err := a.Write(make([]byte, 1<<20))
			writing <- err
		}()
		write(t, b, "said before")
		go func() {
			_, err := b.Write(pattern(1 << 20))
			dying <- err
		}()
		synctest.Wait()
		lan.Crash("b")
		wantErr(t, "write of the dead", <-dying, net.ErrClosed)
		_, err = l.Accept()
		wantErr(t, "accept of the dead", err, net.ErrClosed)
		wantErr(t, "write to the dead", <-writing, syscall.ECONNRESET)
		wantRead(t, a, "said before")
		got, err := io.Copy(io.Discard, a)
		wantErr(t, "read from the dead", err, syscall.ECONNRESET)
		if want := int64(256<<10 - len("said before")); got != want {
			t.Errorf("%d bytes that had been written arrived; want %d", got, want)
		}
		p := lan.Host("a").Net()
		_, err = p.Dial(t.Context(), l.Addr().String())
		wantErr(t, "dial the dead", err, syscall.ECONNREFUSED)
	})
}

func TestRestartOnTheSamePort(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		old := lan.Host("b").Net()
		listen(t, old)
		if _, _, err := lan.Host("b").Net().Listen(testPort); !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("a second listener: %v", err)
		}
		lan.Crash("b")
		if _, _, err := old.Listen(testPort); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("the dead listens: %v", err)
		}
		if _, err := old.Dial(t.Context(), "10.0.0.1:4327"); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("the dead dials: %v", err)
		}
		a, b := pair(t, lan)
		write(t, a, "again")
		wantRead(t, b, "again")
	})
}

func TestCutStallsAndHealResumes(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		write(t, a, "arrived,")
		time.Sleep(time.Second)
		write(t, a, "on its way,")
		lan.Cut("b")
		write(t, a, "and later")
		wantRead(t, b, "arrived,")
		b.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := b.Read(make([]byte, 1))
		wantTimeout(t, err)
		b.SetReadDeadline(time.Time{})
		lan.Heal("b")
		start := time.Now()
		wantRead(t, b, "on its way,and later")
		wantElapsed(t, start, 200*time.Microsecond, time.Millisecond)
		write(t, b, "fine")
		wantRead(t, a, "fine")
	})
}

func TestPowerFailureIsSilentUntilHeal(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		write(t, b, "lost")
		lan.Cut("b")
		lan.Crash("b")
		a.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := a.Read(make([]byte, 1))
		wantTimeout(t, err)
		a.SetReadDeadline(time.Time{})
		lan.Heal("b")
		_, err = a.Read(make([]byte, 1))
		wantErr(t, "read after heal", err, syscall.ECONNRESET)
	})
}

func TestLossDelaysStreams(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := pair(t, lan)
		lan.Loss(100)
		start := time.Now()
		write(t, a, "slow")
		lan.Loss(0)
		write(t, a, "fast")
		wantRead(t, b, "slowfast")
		wantElapsed(t, start, 200*time.Millisecond, 201*time.Millisecond)
	})
}
