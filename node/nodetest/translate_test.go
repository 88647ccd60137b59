package nodetest_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"earshot/node/nodetest"
)

func TestTranslate(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		_, inside := listen(t, lan.Host("a").Net())
		l, outside := listen(t, lan.Host("b").Net())
		shown := lan.Translate("a").String()
		_, err := lan.Host("b").Net().Dial(within(t, time.Second), "a:4327")
		wantErr(t, "from outside", err, context.DeadlineExceeded)

		receive := func(s net.PacketConn) (string, net.Addr) {
			b := make([]byte, 10)
			s.SetReadDeadline(time.Now().Add(time.Second))
			n, from, err := s.ReadFrom(b)
			if err != nil {
				wantErr(t, "receive", err, os.ErrDeadlineExceeded)
			}
			return string(b[:n]), from
		}
		send := func(s net.PacketConn, text string, to net.Addr) {
			if _, err := s.WriteTo([]byte(text), to); err != nil {
				t.Fatal(err)
			}
		}
		send(outside, "first", inside.LocalAddr())
		if text, _ := receive(inside); text != "" {
			t.Errorf("%q came in unasked", text)
		}
		send(inside, "ask", outside.LocalAddr())
		text, from := receive(outside)
		if text != "ask" || !strings.HasPrefix(from.String(), shown+":") {
			t.Fatalf("%q from %v, want it from %s", text, from, shown)
		}
		send(outside, "answer", from)
		if text, _ := receive(inside); text != "answer" {
			t.Errorf("the answer is %q", text)
		}
		time.Sleep(time.Minute)
		send(outside, "late", from)
		if text, _ := receive(inside); text != "" {
			t.Errorf("%q came in late", text)
		}

		c := dial(t, lan.Host("a").Net(), "b:4327")
		o, err := l.Accept()
		if err != nil || !strings.HasPrefix(o.RemoteAddr().String(), shown+":") {
			t.Fatalf("from %v, %v; want %s", o.RemoteAddr(), err, shown)
		}
		defer o.Close()
		for _, pause := range []time.Duration{10 * time.Second, 10 * time.Second, time.Minute} {
			time.Sleep(pause)
			if _, err := o.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := c.Read(make([]byte, 1)); (err == nil) != (pause < time.Minute) {
				t.Errorf("after %v: %v", pause, err)
			}
		}
	})
}
