package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"

	"earshot/node/hub/bench/load"
)

// million fills a hub with a million messages and measures one who is behind by all of them, beside others for whom it goes on; then how an instance starts that has them too.
func (b *bench) million(r *row) error {
	const messages = 1_000_000
	dir, err := b.folder()
	if err != nil {
		return err
	}
	s := b.all["earshot"]
	hub, err := s.start(b.ctx, dir)
	if err != nil {
		return err
	}
	defer hub.stop()
	if _, err := s.generate(b.ctx, hub, load.Spec{Mode: "fill", Senders: 20, Rooms: 5, Size: 100, Run: 50, Messages: messages, Acks: true}); err != nil {
		return err
	}
	result, err := s.generate(b.ctx, hub, load.Spec{Mode: "behind", Receivers: 20, Senders: 1, Size: 100, Rate: 100, Messages: messages, Warm: 300 * time.Millisecond, Time: 2 * time.Second})
	if err != nil {
		return err
	}
	started, err := b.starts()
	if err != nil {
		return err
	}
	maps.Copy(result, started)
	b.note(r, "earshot", result)
	return nil
}

// starts has an instance catch up with the hub that runs, and measures how long it takes it to start again.
func (b *bench) starts() (load.Result, error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	flags := []string{"--join", address, "--port", "4400", "--data-dir", dir, "--per-ip", "0"}
	lines := append(flags[:len(flags):len(flags)], "--plain", "--json", "--history", "0")
	if _, err := b.prints(3*time.Minute, `"event":"caught-up"`, false, rest, lines); err != nil {
		return nil, err
	}
	var linked, screen []float64
	for range 3 {
		l, err := b.prints(20*time.Second, `"state":"linked"`, false, 0, lines)
		if err != nil {
			return nil, err
		}
		s, err := b.prints(20*time.Second, "abcdefghijkl", true, 0, flags)
		if err != nil {
			return nil, err
		}
		linked, screen = append(linked, l.Seconds()*1e3), append(screen, s.Seconds()*1e3)
	}
	return load.Result{"linked_ms": middle(linked), "screen_ms": middle(screen)}, nil
}

// rest is how long an instance that has caught up is left alone, to index what came.
const rest = 20 * time.Second

// prints starts earshot and returns how long it took to print something; a while after that it is ended.
func (b *bench) prints(most time.Duration, what string, screen bool, rest time.Duration, flags []string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(b.ctx, most)
	defer cancel()
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", loadCore, b.earshot}, flags...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var out io.Reader
	began := time.Now()
	if screen {
		cmd.Env = append(os.Environ(), "TERM=xterm-256color")
		t, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
		if err != nil {
			return 0, err
		}
		defer t.Close()
		out = t
	} else {
		in, err := cmd.StdinPipe() // its end would be the program's
		if err != nil {
			return 0, err
		}
		defer in.Close()
		if out, err = cmd.StdoutPipe(); err != nil {
			return 0, err
		}
		if err := cmd.Start(); err != nil {
			return 0, err
		}
	}
	took, err := seen(out, what, began)
	go io.Copy(io.Discard, out)
	if err == nil && rest > 0 {
		time.Sleep(rest)
	}
	cancel()
	cmd.Wait()
	return took, err
}

// seen reads until what is there.
func seen(out io.Reader, what string, began time.Time) (time.Duration, error) {
	r := bufio.NewReader(out)
	var all bytes.Buffer
	part := make([]byte, 32<<10)
	for {
		n, err := r.Read(part)
		all.Write(part[:n])
		if strings.Contains(all.String(), what) {
			return time.Since(began), nil
		}
		if err != nil {
			return 0, fmt.Errorf("%q was not printed: %w\n%s", what, err, all.Bytes()[max(0, all.Len()-1000):])
		}
		if all.Len() > 1<<20 {
			all.Next(all.Len() - 1<<10)
		}
	}
}

// size tells how large the binary is.
func (b *bench) size(r *row) error {
	info, err := os.Stat(filepath.Clean(b.earshot))
	if err != nil {
		return err
	}
	b.note(r, "earshot", load.Result{"mb": float64(info.Size()) / 1e6})
	return nil
}
