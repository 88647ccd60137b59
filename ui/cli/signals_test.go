//go:build unix

package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	ossignal "os/signal"
	"syscall"
	"testing"
	"time"
)

// underSignals runs the program called name, sends it a signal so many times, 50 ms apart, once it runs, and returns its exit status and how
// long it took to end.
func underSignals(t *testing.T, name string, signal os.Signal, times int) (int, time.Duration) {
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
	lines := bufio.NewScanner(out)
	lines.Scan()
	start := time.Now()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	ended := make(chan error, 1)
	go func() {
		for lines.Scan() { // Wait must not be called before all is read
		}
		ended <- cmd.Wait()
	}()
	for sent := 0; ; {
		if sent++; sent <= times {
			if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
		select {
		case err := <-ended:
			if err != nil && !errors.As(err, new(*exec.ExitError)) {
				t.Fatal(err)
			}
			return cmd.ProcessState.ExitCode(), time.Since(start)
		case <-again.C:
		}
	}
}

func TestSignals(t *testing.T) {
	for signal, want := range map[os.Signal]int{os.Interrupt: ExitInterrupt, syscall.SIGTERM: ExitDone, syscall.SIGHUP: ExitDone} {
		t.Run(signal.String(), func(t *testing.T) {
			if ossignal.Ignored(signal) {
				t.Skip("this test was started so that it ignores the signal, and so does what it starts: nohup does that")
			}
			if got, _ := underSignals(t, "earshot-wait", signal, 1); got != want {
				t.Errorf("exit status %d, want %d", got, want)
			}
		})
	}
}

// TestInsisting: what does not end is ended by a later signal, but not by one that was sent twice at once.
func TestInsisting(t *testing.T) {
	got, took := underSignals(t, "earshot-hang", syscall.SIGTERM, 1000)
	if got != ExitInterrupt || took < patience {
		t.Errorf("exit status %d after %v, want %d after more than %v", got, took, ExitInterrupt, patience)
	}
}
