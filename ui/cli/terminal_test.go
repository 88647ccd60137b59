//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// onTerminal runs earshot on a terminal of its own, types what next returns for each thing it prints, and returns all it printed.
func onTerminal(t *testing.T, env []string, next func(printed string) string, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Args = append([]string{"earshot"}, args...) // TestMain looks at the name
	cmd.Env = append(append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "TERM=xterm", "GORACE=atexit_sleep_ms=0"), env...)
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	tty.SetDeadline(time.Now().Add(30 * time.Second))
	var all bytes.Buffer
	for r, b := bufio.NewReader(tty), make([]byte, 4096); ; {
		n, err := r.Read(b)
		all.Write(b[:n])
		if err != nil { // EIO: the other end is closed
			break
		}
		if _, err := io.WriteString(tty, next(all.String())); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, all.String())
	}
	return all.String()
}

func nothing(string) string { return "" }

func TestKeyIsNotShown(t *testing.T) {
	typed := false
	out := onTerminal(t, nil, func(printed string) string {
		if typed || !strings.Contains(printed, "not shown): ") {
			return ""
		}
		typed = true
		return "qqqq-qqqq-qqqq-qqqq-qqqq-qqqq-qq\n"
	}, "key", "join", "office")
	if !strings.Contains(out, `the key of "office" is stored`) || strings.Contains(out, "qqqq") {
		t.Errorf("printed %q", out)
	}
}

func TestFullScreen(t *testing.T) {
	if out := onTerminal(t, nil, nothing); !strings.Contains(out, "mode=full json=false history=-1") || strings.Contains(out, "line\"") {
		t.Errorf("want the full screen and no log on it, printed %q", out)
	}
	if out := onTerminal(t, []string{"TERM=dumb"}, nothing); !strings.Contains(out, "mode=lines") || !strings.Contains(out, "hint: --plain") {
		t.Errorf("want lines with a hint, printed %q", out)
	}
}
