package nodetest_test

import (
	"io"
	"syscall"
	"testing"
	"time"

	"earshot/node/nodetest"
)

// A reset ends a stream for both ends, after as much as had been read or less.
func TestReset(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		if lan.Reset("a") {
			t.Error("a stream was broken where there is none")
		}
		a, b := pair(t, lan)
		write(t, a, "arrived")
		wantRead(t, b, "arrived")
		write(t, a, "perhaps")
		time.Sleep(time.Second)
		write(t, a, "on its way")
		if !lan.Reset("a") {
			t.Fatal("there is a stream")
		}
		got, err := io.ReadAll(b)
		wantErr(t, "read at one end", err, syscall.ECONNRESET)
		if s := string(got); len(s) > len("perhaps") || s != "perhaps"[:len(s)] {
			t.Errorf("%q arrived", s)
		}
		_, err = a.Read(make([]byte, 1))
		wantErr(t, "read at the other", err, syscall.ECONNRESET)
		_, err = a.Write([]byte("x"))
		wantErr(t, "write", err, syscall.ECONNRESET)
	})
}
