package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"earshot":      func() { os.Exit(Main(os.Args[1:], tell)) },
		"earshot-said": func() { os.Exit(storeLines(os.Args[1], message.Lobby, "", os.Args[2], os.Args[3:])) },
		"earshot-met":  func() { os.Exit(storePeople(os.Args[1], os.Args[2], os.Args[3], os.Args[4:])) },
		"earshot-wait": func() { os.Exit(Main(os.Args[1:], waitForEnd)) },
		"earshot-hang": func() { os.Exit(Main(os.Args[1:], hang)) },
	})
}

// tell stands in for taking part: it prints what would be started. No test of this package opens the network.
func tell(_ context.Context, s *Setup) error {
	n := s.Node
	mode := map[Mode]string{FullScreen: "full", Lines: "lines"}[s.Mode]
	fmt.Printf("nick=%s network=%s closed=%t profile=%s\n", n.Nick, n.Network.Name(), n.Network.Closed(), filepath.Base(n.Dir))
	fmt.Printf("port=%d join=%v rate=%v per-ip=%d server-only=%t never-hub=%t no-history=%t keep=%v\n", n.Port, n.Join, n.Rate, n.PerIP, n.ServerOnly, n.NeverHub, n.NoHistory, n.Keep)
	if s.Task != Chat {
		fmt.Println(map[Task]string{Doctor: "task=doctor", Who: fmt.Sprint("task=who timeout=", s.Timeout)}[s.Task])
		s.Log = slog.New(slog.DiscardHandler)
	}
	fmt.Printf("mode=%s json=%t history=%d netid=%x peers=%t\n", mode, s.JSON, s.History, n.Network.ID(), s.Peers != nil)
	if len(n.Previous) > 0 {
		fmt.Printf("before=%d\n", len(n.Previous))
	}
	s.Log.Debug("debug line")
	s.Log.Info("info line")
	s.Log.Warn("warn line")
	return nil
}

// storePeople has a profile remember people of a closed network, and one line in its history.
func storePeople(dir, network, keyFile string, nicks []string) int {
	key, err := identity.ReadKeyFile(keyFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if status := storeLines(dir, network, key, message.Lobby, []string{"before the change"}); status != 0 {
		return status
	}
	n, err := identity.NewNetwork(network, []byte(key))
	if err != nil {
		return 1
	}
	var list []map[string]any
	for i, nick := range nicks {
		list = append(list, map[string]any{"key": fmt.Sprintf("%064x", i+1), "nicks": []any{map[string]any{"nick": nick}}, "first": time.Now(), "last": time.Now(), "days": 1})
	}
	b, err := json.Marshal(list)
	id := n.ID()
	if err == nil {
		err = identity.Replace(filepath.Join(dir, "networks", fmt.Sprintf("%x", id[:]), "contacts.json"), b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// storeLines puts lines into a network's history in a profile's folder, as said by nick in a room.
func storeLines(dir, name, key, room string, lines []string) int {
	err := func() error {
		network, err := identity.NewNetwork(name, []byte(key))
		if err != nil {
			return err
		}
		who, err := identity.FromSeed(make([]byte, 32))
		if err != nil {
			return err
		}
		id, folder := network.ID(), "realm-"+room
		if network.Closed() {
			folder = fmt.Sprintf("realm-%x", identity.Realm{})
		}
		j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "networks", fmt.Sprintf("%x", id[:]), folder), Network: id})
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		done := make(chan error)
		go func() { done <- j.Run(ctx) }()
		a := j.NewAuthor(who, "bob")
		for _, line := range lines {
			if _, _, _, err := a.Write(ctx, message.Public, message.Room(room), room, message.Text, []byte(line)); err != nil {
				return err
			}
		}
		stop()
		return <-done
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// waitForEnd says that it runs, and later that it was asked to end.
func waitForEnd(ctx context.Context, _ *Setup) error {
	fmt.Println("running")
	<-ctx.Done()
	fmt.Println("goodbye")
	return ctx.Err()
}

// hang is waitForEnd that does not end.
func hang(ctx context.Context, s *Setup) error {
	waitForEnd(ctx, s)
	select {}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			e.Setenv("USER", "anna")
			e.Setenv("TERM", "xterm-256color")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector holds each process up for a second else
			return nil
		},
	})
}

// exits STATUS COMMAND…: like exec, for a command that ends with that status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	status := 0
	err := ts.Exec(args[1], args[2:]...)
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		status = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("it ended with status %d", status)
	}
}

func TestMode(t *testing.T) {
	type given struct {
		o             options
		stdin, stdout bool
		term          string
	}
	for name, c := range map[string]struct {
		given
		want Mode
		hint bool
	}{
		"terminal":         {given{options{}, true, true, "xterm-256color"}, FullScreen, false},
		"plain":            {given{options{plain: true}, true, true, "xterm"}, Lines, false},
		"json":             {given{options{json: true}, true, true, "xterm"}, Lines, false},
		"box":              {given{options{serverOnly: true}, true, true, "xterm"}, Lines, false},
		"piped output":     {given{options{}, true, false, "dumb"}, Lines, false},
		"piped input":      {given{options{}, false, true, "xterm"}, Lines, true},
		"dumb":             {given{options{}, true, true, "dumb"}, Lines, true},
		"no name":          {given{options{}, true, true, ""}, Lines, true},
		"unknown terminal": {given{options{}, true, true, "no-such-terminal"}, Lines, true},
		"dumb but plain":   {given{options{plain: true}, true, true, "dumb"}, Lines, false},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.want == Lines && c.term != "xterm" && c.stdout {
				t.Skip("a console needs no TERM")
			}
			m, why := c.o.mode(c.stdin, c.stdout, c.term)
			if m != c.want || (why != "") != c.hint {
				t.Errorf("mode %v, %q; want %v, a reason: %v", m, why, c.want, c.hint)
			}
		})
	}
}
