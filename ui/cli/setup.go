package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/term"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
)

// lobby is the open network, where one is without asking for another.
const lobby = message.Lobby

// setup makes of the options what is to be started. Call end when it has ended.
func (o *options) setup() (s *Setup, end func(), err error) {
	dir, err := o.profileDir()
	if err != nil {
		return nil, nil, err
	}
	network, key, previous, err := o.joined()
	if err != nil {
		return nil, nil, err
	}
	nick, err := o.nickname()
	if err != nil {
		return nil, nil, err
	}
	stdin, stdout := term.IsTerminal(int(os.Stdin.Fd())), term.IsTerminal(int(os.Stdout.Fd()))
	mode, why := o.mode(stdin, stdout, os.Getenv("TERM"))
	if o.task != Chat {
		mode, why = Lines, ""
	}
	if why != "" {
		fmt.Fprintf(os.Stderr, "earshot: using lines instead of the full screen: %s\nhint: --plain asks for this without saying so\n", printable(why))
	}
	log, end, err := o.logger(mode)
	if err != nil {
		return nil, nil, err
	}
	s = &Setup{
		Task: o.task, Timeout: o.timeout,
		Node: node.Config{
			Dir: dir, HostDir: filepath.Dir(filepath.Dir(dir)), Nick: nick, DefaultNick: defaultNick(o.serverOnly), Network: network, Port: o.port, Join: o.join,
			ServerOnly: o.serverOnly, NeverHub: o.neverHub, NoHistory: o.noHistory, Keep: o.keep,
			Previous: previous, Key: key, Succeed: o.succeed(network.Name()),
			Rate: none(o.rate), PerIP: none(o.perIP), Log: log,
		},
		Mode: mode, JSON: o.json, History: o.lines(mode), Log: log, Version: version(), Restore: saveTerminal(mode == FullScreen),
		Theme: o.look(), Notify: o.notify, NoMouse: o.noMouse,
	}
	s.In, s.Linger = o.input(stdin)
	s.Typed = stdin && !o.json && !o.serverOnly
	s.Prefer = func(chosen map[string]string) error {
		err := o.prefer(chosen)
		s.Theme, s.Notify, s.NoMouse = o.look(), o.notify, o.noMouse
		return err
	}
	for _, name := range []string{"theme", "notify", "mouse"} {
		if o.given[name] {
			s.Fixed = append(s.Fixed, name)
		}
	}
	if !o.noHistory {
		s.Peers = &Peers{filepath.Join(dir, peersFile), network.Name()}
	}
	return s, end, nil
}

// none is no limit as node.Config says it: on the command line that is 0.
func none[N int | float64](n N) N {
	if n == 0 {
		return -1
	}
	return n
}

// prefer takes the settings that the user chose on the screen at an earlier start, but for those that were given for this one.
func (o *options) prefer(chosen map[string]string) error {
	wrong := []error{}
	for _, s := range o.settings() {
		values := []string{chosen[s.name]}
		if s.name == "theme" {
			values = []string{chosen["colours"], chosen["glyphs"]}
		}
		words := strings.TrimSpace(strings.Join(values, " "))
		if o.given[s.name] || words == "" || !slices.Contains([]string{"theme", "notify", "mouse"}, s.name) {
			continue
		}
		before := *o
		if err := s.set(words); err != nil {
			*o = before
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(wrong...)
}

// lines is how much of the stored history is shown first.
func (o *options) lines(m Mode) int {
	switch {
	case o.history != historyUnset:
		return o.history
	case m == FullScreen || o.json:
		return historyAll
	case o.serverOnly:
		return 0
	}
	return 50
}

// data returns the folder of everything that is kept.
func (o *options) data() (string, error) {
	if o.dataDir == "" {
		return dataDir()
	}
	dir, err := filepath.Abs(o.dataDir)
	if err != nil {
		return "", fmt.Errorf("--data-dir: %w", err)
	}
	return dir, nil
}

func (o *options) profileDir() (string, error) {
	bad := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	}
	if n := o.profile; strings.ContainsFunc(n, bad) || n[0] == '.' || len(n) > 64 || !filepath.IsLocal(n) {
		return "", usage("the name of a profile is made of letters, digits, - _ and .", "for example --profile second")
	}
	dir, err := o.data()
	return filepath.Join(dir, "profiles", o.profile), err
}

// joined returns the network to take part in, its key, if it has one, and what it was by earlier keys. A name without a key is refused, not taken for an open network of that name: whoever mistypes the
// name of a closed network, or forgot to store its key, must not talk in the open instead.
func (o *options) joined() (network *identity.Network, secret func() string, previous []*identity.Network, err error) {
	name, err := networkName(o.network)
	if err != nil {
		return nil, nil, nil, err
	}
	var key string
	switch {
	case o.keyFile != "":
		key, err = readKey(o.keyFile)
	case name != lobby:
		key, err = o.storedKey(name)
	}
	if err == nil && key != "" {
		key, previous, err = o.since(name, key)
	}
	if err == nil {
		network, err = identity.NewNetwork(name, []byte(key))
	}
	if err != nil || key == "" {
		return network, nil, nil, err
	}
	return network, func() string { return key }, previous, nil
}

// since returns the networks of that name by the keys that it had before, and the key that it has now: one that was given by --key-file may have been changed since.
func (o *options) since(name, key string) (now string, previous []*identity.Network, err error) {
	dir, err := o.data()
	if err != nil {
		return "", nil, err
	}
	stored := identity.OpenKeys(filepath.Join(dir, "keys"))
	before, err := stored.Before(name)
	for _, old := range before {
		n, e := identity.NewNetwork(name, []byte(old))
		if err = errors.Join(err, e); e == nil {
			previous = append(previous, n)
		}
	}
	if err != nil || !slices.Contains(before, key) || name == lobby {
		return key, previous, err
	}
	if now, err = stored.Get(name); err != nil {
		return "", nil, err
	}
	if now != key {
		fmt.Fprintf(os.Stderr, "earshot: the key of %q was changed since: using the one that is stored\n", printable(name))
	}
	return now, previous, nil
}

// succeed stores a network's next key, also where the present one came from --key-file: the next start needs none. A key of the lobby is never stored.
func (o *options) succeed(name string) func(old, key string) error {
	if name == lobby {
		return nil
	}
	return func(old, key string) error {
		dir, err := o.data()
		if err != nil {
			return err
		}
		return identity.OpenKeys(filepath.Join(dir, "keys")).Succeed(name, old, key)
	}
}

func (o *options) storedKey(name string) (string, error) {
	dir, err := o.data()
	if err != nil {
		return "", err
	}
	key, err := identity.OpenKeys(filepath.Join(dir, "keys")).Get(name)
	if err != nil {
		return "", noKey(name, err)
	}
	return key, nil
}

// networkName writes a network's name as all its machines must: they derive its keys from name and key. The rules are those of rooms.
func networkName(name string) (string, error) {
	if name == lobby {
		return name, nil
	}
	clean, err := message.CleanRoom(name)
	if err != nil {
		return "", usage("that cannot be the name of a network: "+err.Error(), "small letters, digits, - _ and . will do")
	}
	return clean, nil
}

func (o *options) nickname() (string, error) {
	if o.nick == "" {
		return "", nil
	}
	nick, err := message.CleanNick(o.nick)
	if err != nil {
		return "", usage("--nick: "+err.Error(), fmt.Sprintf("a nick has up to %d letters and no spaces", message.MaxNick))
	}
	return nick, nil
}

// defaultNick is the user's name, or for a box the machine's, as far as that can be a nick.
func defaultNick(server bool) string {
	var names []string
	if host, err := os.Hostname(); err == nil && server {
		host, _, _ = strings.Cut(host, ".")
		names = append(names, host)
	}
	if u, err := user.Current(); err == nil {
		names = append(names, u.Username[strings.LastIndex(u.Username, `\`)+1:]) // DOMAIN\anna
	}
	for _, name := range append(names, os.Getenv("USER")) {
		if nick, err := message.CleanNick(name); err == nil {
			return nick
		}
	}
	return "guest"
}

// logger returns where the program's own log goes: --log-file, else stderr, but nowhere under a full screen. A box and a file get facts from
// info up; a terminal that also shows the chat only what is wrong.
func (o *options) logger(m Mode) (*slog.Logger, func(), error) {
	level := slog.LevelWarn
	if o.serverOnly || o.logFile != "" {
		level = slog.LevelInfo
	}
	if o.logLevel != nil {
		level = *o.logLevel
	}
	how := &slog.HandlerOptions{Level: level}
	switch {
	case o.logFile != "":
		f, err := os.OpenFile(o.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, nil, failure(fmt.Sprintf("the log cannot be written: %v", err), "choose another file with --log-file")
		}
		return slog.New(slog.NewTextHandler(f, how)), func() { f.Close() }, nil
	case m == FullScreen:
		return slog.New(slog.DiscardHandler), func() {}, nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, how)), func() {}, nil
}
