//go:build unix

package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// underSignals runs the program called name, sends it the signals, the next one whenever it printed a line, and returns its exit status.
func underSignals(t *testing.T, name string, signals ...os.Signal) int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = []string{name, "--plain", "--data-dir", t.TempDir()}
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && len(signals) > 0; signals = signals[1:] {
		if err := cmd.Process.Signal(signals[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

func TestSignals(t *testing.T) {
	for name, c := range map[string]struct {
		program string
		signals []os.Signal
		want    int
	}{
		"interrupt":   {"earshot-wait", []os.Signal{os.Interrupt}, ExitInterrupt},
		"terminate":   {"earshot-wait", []os.Signal{syscall.SIGTERM}, ExitDone},
		"hang up":     {"earshot-wait", []os.Signal{syscall.SIGHUP}, ExitDone},
		"second time": {"earshot-hang", []os.Signal{os.Interrupt, os.Interrupt}, ExitInterrupt},
		"then gone":   {"earshot-hang", []os.Signal{syscall.SIGTERM, syscall.SIGTERM}, ExitInterrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if got := underSignals(t, c.program, c.signals...); got != c.want {
				t.Errorf("exit status %d, want %d", got, c.want)
			}
		})
	}
}
