package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"earshot/node"
)

// open is start without taking part: a node that is not run sends nothing.
func open(_ context.Context, s *Setup) error {
	n, err := node.New(s.Node)
	if err != nil {
		return err
	}
	return n.Close()
}

// says runs start with args and returns what the user reads.
func says(t *testing.T, start func(context.Context, *Setup) error, args ...string) string {
	t.Helper()
	o, _, err := parse(args)
	if err == nil {
		err = begin(o, start)
	}
	var b bytes.Buffer
	if status := report(&b, err); (status == ExitDone) != (b.Len() == 0) {
		t.Errorf("status %d and %q", status, b.String())
	}
	return b.String()
}

func TestProfileInUse(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	args := []string{"--plain", "--data-dir", home}
	var second, other string
	first := says(t, func(_ context.Context, s *Setup) error {
		n, err := node.New(s.Node)
		if err != nil {
			return err
		}
		second = says(t, open, args...)
		other = says(t, open, append(args, "--profile", "second")...)
		return n.Close()
	}, args...)
	if first != "" || other != "" {
		t.Errorf("the first said %q, one with a profile of its own %q", first, other)
	}
	if lines := strings.Split(second, "\n"); len(lines) != 3 || !strings.Contains(lines[0], "already running") || !strings.HasPrefix(lines[1], "hint: ") || !strings.Contains(lines[1], "--profile") {
		t.Errorf("the second said %q", second)
	}
	if again := says(t, open, args...); again != "" {
		t.Errorf("afterwards: %q", again)
	}
}

func TestPortInUse(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	got := says(t, open, "--plain", "--data-dir", home, "--port", taken)
	if lines := strings.Split(got, "\n"); len(lines) != 3 || !strings.Contains(lines[0], taken) || !strings.HasPrefix(lines[1], "hint: ") || !strings.Contains(lines[1], "--port") {
		t.Errorf("said %q", got)
	}
}

func TestNoFolder(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		got := says(t, open, "--plain", "--data-dir", dir, "--log-level", "error")
		if lines := strings.Split(got, "\n"); len(lines) != 3 || !strings.Contains(lines[0], file) || !strings.HasPrefix(lines[1], "hint: ") || !strings.Contains(lines[1], "--data-dir") {
			t.Errorf("said %q", got)
		}
	}
}
