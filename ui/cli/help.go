package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

const introduction = `earshot: chat with the people on your network. No server, no account, no address.

  Start it on two machines of one LAN. They find each other; type, press Enter.

usage: earshot [FLAGS]
       earshot search WORDS [--json]
       earshot peers [--json] [--timeout 2s]
       earshot doctor [--json]
       earshot key new|join|show|list|rotate|forget [NAME]
`

const afterFlags = `
Nobody there?
  earshot doctor             say what keeps others away, and how to mend it;
                             it takes no part, and works beside a chat;
                             with --json for scripts

What was said
  earshot search fox         find it in the history on this disk, newest first, also
                             beside a chat: all of the words, in any letter case
  earshot search '"red fox" from:bob in:#build after:2026-11-01 before:2026-12-01'
                             --limit N shows that many (50; 0: all), --room NAME
                             looks there alone, --json is for scripts

Who is here?
  earshot peers              list them, and say who is the hub and why, without
                             taking part; it looks around for --timeout (2s)

Closed networks: only who holds the key can find, join or read them
  earshot key new office     make a key for the network "office" and print it
  earshot key join office    store the key that somebody gave you; it is asked for,
                             or read from stdin or --key-file, never an argument
  earshot key show office    print it again, with --qr as a QR code too
  earshot key list           list the networks whose keys are stored
  earshot key rotate office  change it, so that some are out: --except NICK; or name who
                             stays: --only NICK, --all; --yes does not ask first; those
                             who stay are handed the new one, and asked
  earshot key forget office  delete the key from this machine
  earshot --network office   take part

Examples
  earshot                               chat in the lobby, open to all on this LAN
  earshot --nick eve --profile second   a second person on this machine
  earshot --server-only                 a box that is always on
  earshot --join chat.example.org       a hub that cannot be found from here
  echo "build done" | earshot --plain   say one thing and leave
  earshot --plain --json </dev/null     only listen, for scripts

Lines (--plain, and wherever input or output is no terminal)
  A line of input is a message or a /command. When a script's input ends, or at
  its /quit, earshot waits up to 5 s until two machines have what was said, and
  leaves. With /dev/null as input it listens until it is stopped. Stored history
  comes first: 50 lines, or all of it with --json, or as much as --history says.

Settings
  A flag can also be set in the environment (EARSHOT_NICK=eve) or by a line in
  the config file (nick eve). Flags go before the environment, the environment
  before the file. The file is
    %s
  and identity, keys and history are in
    %s

Exit status
  0 done, or asked to stop by SIGTERM   2 wrong usage   130 interrupted (Ctrl-C)
  1 failure, or search found nothing
  3 nobody was there to hear what was said, or was found
`

// help prints what --help prints.
func help(w io.Writer) error {
	var b strings.Builder
	b.WriteString(introduction)
	group := ""
	for _, s := range new(options).settings() {
		if s.group == "" {
			continue
		}
		if s.group != group {
			group = s.group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		fmt.Fprintf(&b, "  %-20s %s\n", strings.TrimSpace("--"+s.name+" "+s.arg), s.help)
	}
	data, err := dataDir()
	if err != nil {
		data = "the folder that --data-dir names"
	}
	config := configFile()
	if config == "" {
		config = "earshot/config in the user's config folder"
	}
	fmt.Fprintf(&b, afterFlags, printable(short(config)), printable(short(data)))
	_, err = io.WriteString(w, b.String())
	return err
}

// short writes a path below the home folder with ~.
func short(path string) string {
	if home, err := os.UserHomeDir(); err == nil {
		if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); ok {
			return "~" + string(filepath.Separator) + rest
		}
	}
	return path
}

func printVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "earshot %s, %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version returns what the build recorded of the program's version: a release's number, else the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "(devel)"
}
