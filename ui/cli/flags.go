package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3"

	"earshot/node/identity"
	"earshot/ui/look"
)

// options are the flags' values, from wherever they came.
type options struct {
	task             Task
	nick, profile    string
	network, keyFile string
	join             []string
	port             int
	serverOnly       bool
	neverHub         bool
	rate             float64
	perIP            int
	plain, json      bool
	theme            string // words for look.Theme
	notify           string // all, mentions or off
	noMouse          bool
	given            map[string]bool // settings that flag, environment or config file decide
	history          int             // see historyUnset, historyAll
	noHistory        bool
	keep             time.Duration
	dataDir, logFile string
	logLevel         *slog.Level // nil: the mode's
	timeout          time.Duration
	version, qr      bool
	only, except     []string // of earshot key rotate
	all, sure        bool     // likewise
	limit            int      // of earshot search; 0: none
	room             string   // likewise
}

// maxKeep is a hundred years, in days.
const maxKeep = 36500

// How long earshot peers looks around: without --timeout, and with it.
const (
	defaultTimeout = 2 * time.Second
	minTimeout     = 100 * time.Millisecond
	maxTimeout     = time.Minute
)

const (
	historyUnset = -2 // as many lines as suit the mode
	historyAll   = -1
)

// A setting is one flag: also EARSHOT_<NAME> in the environment, and a line in the config file.
type setting struct {
	group, name, arg, help string
	set                    func(string) error
	err                    error // of the last Set: the flag package turns errors into text
}

func (s *setting) String() string   { return "" }
func (s *setting) IsBoolFlag() bool { return s.arg == "" }

func (s *setting) Set(value string) error {
	if err := s.set(value); err != nil {
		s.err = &badValue{s.name, err}
		return s.err
	}
	return nil
}

// badValue is a value that a setting does not take.
type badValue struct {
	name string
	err  error
}

func (b *badValue) Error() string { return b.err.Error() }
func (b *badValue) Unwrap() error { return b.err }

// settings is the one table of flags: parsing, help and completion of misspelt names read it.
func (o *options) settings() []*setting {
	return []*setting{
		{group: "You", name: "nick", arg: "NAME", help: "what others call you (your login name at first)", set: text(&o.nick)},
		{group: "You", name: "profile", arg: "NAME", help: "another identity, with its own history (default)", set: text(&o.profile)},

		{group: "Network", name: "network", arg: "NAME", help: "the network to join (lobby; any other needs a key)", set: notKey(&o.network)},
		{group: "Network", name: "key-file", arg: "FILE", help: "read that network's key from FILE, - is stdin", set: notKey(&o.keyFile)},
		{group: "Network", name: "join", arg: "HOST[:PORT]", help: "reach a hub by its address too; can be repeated", set: addresses(&o.join)},
		{group: "Network", name: "port", arg: "N", help: "the port, TCP and UDP (4327, or the next free one)", set: number(&o.port, 0, 65535)},

		{group: "Hub", name: "server-only", help: "only serve as the hub, on a machine that is always on", set: yes(&o.serverOnly)},
		{group: "Hub", name: "never-hub", help: "never be the hub, on a machine that is slow", set: yes(&o.neverHub)},
		{group: "Hub", name: "rate", arg: "N", help: "messages a second from one person; 0: no limit (5)", set: rate(&o.rate)},
		{group: "Hub", name: "per-ip", arg: "N", help: "connections from one address; 0: no limit (8)", set: number(&o.perIP, 0, math.MaxInt32)},

		{group: "Display", name: "plain", help: "no full screen: lines in, lines out", set: yes(&o.plain)},
		{group: "Display", name: "json", help: "the same with one JSON object per event, for scripts", set: yes(&o.json)},
		{group: "Display", name: "theme", arg: "NAME", help: look.Themes, set: theme(&o.theme)},
		{group: "Display", name: "notify", arg: "WHAT", help: "what rings the bell: all, mentions or off (all)", set: oneOf(&o.notify, "all", "mentions", "off")},
		{group: "Display", name: "mouse", arg: "on|off", help: "off leaves the mouse to the terminal (on)", set: mouse(&o.noMouse)},
		{group: "Display", name: "history", arg: "N", help: "in line mode: how much history comes first; or: all", set: history(&o.history)},
		{group: "Display", name: "no-history", help: "keep nothing of what is said on this disk", set: yes(&o.noHistory)},
		{group: "Display", name: "keep", arg: "DAYS", help: "how long history is kept on this disk (365d)", set: days(&o.keep)},

		{group: "Files", name: "data-dir", arg: "DIR", help: "where identity, keys and history are", set: text(&o.dataDir)},
		{group: "Files", name: "log-file", arg: "FILE", help: "append the program's own log to FILE", set: text(&o.logFile)},
		{group: "Files", name: "log-level", arg: "LEVEL", help: "debug, info, warn or error", set: level(&o.logLevel)},

		{group: "Other", name: "version", help: "print the version", set: asked(&o.version)},
		{group: "Other", name: "help", help: "print this", set: func(string) error { return flag.ErrHelp }},
		{name: "limit", arg: "N", help: "with earshot search: how many of the newest are shown; 0: all", set: number(&o.limit, 0, maxFound)},
		{name: "room", arg: "NAME", help: "with earshot search: look in that room alone", set: text(&o.room)},
		{name: "timeout", arg: "TIME", help: "with earshot peers: how long to look around", set: duration(&o.timeout, minTimeout, maxTimeout)},
		{name: "only", arg: "NICK,…", help: "with earshot key rotate: who gets the new key", set: people(&o.only)},
		{name: "except", arg: "NICK,…", help: "with earshot key rotate: who does not", set: people(&o.except)},
		{name: "all", help: "with earshot key rotate: everybody gets it", set: yes(&o.all)},
		{name: "yes", help: "with earshot key rotate: do not ask", set: yes(&o.sure)},
		{name: "qr", help: "with earshot key show: also as a QR code", set: yes(&o.qr)},
	}
}

// errHelp: the answer is the help text.
var errHelp = flag.ErrHelp

// parse reads arguments, environment and config file, in this order of precedence, and returns the words that are no flags.
func parse(args []string) (o *options, words []string, err error) {
	if err := noKeys(args); err != nil {
		return nil, nil, err
	}
	o = &options{network: lobby, profile: "default", rate: 5, perIP: 8, given: map[string]bool{}, history: historyUnset, limit: defaultFound, timeout: defaultTimeout}
	settings := o.settings()
	flags := flag.NewFlagSet("earshot", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for _, s := range settings {
		if s.name != "help" { // the flag package knows it, as -h too
			flags.Var(s, s.name, s.help)
		}
	}
	if words, err = interspersed(flags, args); err != nil {
		return nil, nil, argumentError(err, settings)
	}
	typed := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { typed[f.Name] = true })
	if slices.Contains(words, "help") && (words[0] == "help" || words[0] == "key") {
		return nil, nil, errHelp
	}
	if len(words) > 0 && words[0] == "version" {
		o.version = true
	}
	switch {
	case o.version && len(words) > 1:
		return nil, nil, usage("earshot version takes nothing after it", "")
	case o.version:
		return o, nil, nil
	}
	file := configFile()
	err = ff.Parse(flags, nil, ff.WithEnvVarPrefix("EARSHOT"), ff.WithConfigFile(file), ff.WithAllowMissingConfigFile(true),
		ff.WithConfigFileParser(configParser(file, settings)))
	if bad := (*badValue)(nil); errors.As(err, &bad) { // the config file's come as *Error
		err = usage(fmt.Sprintf("EARSHOT_%s: %v", strings.ToUpper(strings.ReplaceAll(bad.name, "-", "_")), bad), "")
	}
	flags.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	if err == nil {
		err = o.check(words, typed)
	}
	return o, words, err
}

// interspersed lets flags stand before, between and after the words.
func interspersed(flags *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) == 0 {
			return words, nil
		}
		words, args = append(words, args[0]), args[1:]
	}
}

// argumentError puts the flag package's errors in our words.
func argumentError(err error, settings []*setting) error {
	if errors.Is(err, flag.ErrHelp) {
		return errHelp
	}
	for _, s := range settings {
		if s.err != nil {
			return usage(fmt.Sprintf("--%s: %v", s.name, s.err), "")
		}
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return usage(fmt.Sprintf("there is no flag --%s", name), nearestHint("--", name, names(settings)))
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return usage(fmt.Sprintf("--%s needs a value", name), "earshot --help shows which")
	}
	return usage(err.Error(), "earshot --help lists the flags")
}

// check refuses what does not go together. typed are the flags among the arguments: one of those that belong to a single command may well stand in the environment or the
// config file, for when that command is run.
func (o *options) check(words []string, typed map[string]bool) error {
	switch {
	case o.serverOnly && o.neverHub:
		return usage("--server-only and --never-hub contradict each other", "leave one of them out")
	case (typed["limit"] || typed["room"]) && (len(words) == 0 || words[0] != "search"):
		return usage("--limit and --room belong to earshot search", "")
	case typed["timeout"] && (len(words) == 0 || words[0] != "peers"):
		return usage("--timeout belongs to earshot peers", "")
	case (typed["all"] || typed["yes"] || typed["only"] || typed["except"]) && (len(words) < 2 || words[0] != "key" || words[1] != "rotate"):
		return usage("--only, --except, --all and --yes belong to earshot key rotate", "")
	case typed["qr"] && (len(words) < 2 || words[0] != "key" || words[1] != "show"):
		return usage("--qr belongs to earshot key show", "")
	}
	return nil
}

func names(settings []*setting) []string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
	}
	return names
}

func text(to *string) func(string) error {
	return func(s string) error {
		if s == "" {
			return errors.New("it needs a value")
		}
		*to = s
		return nil
	}
}

// notKey is text that must not be a key: it would end up in error texts, in the history of the shell and in the list of processes.
func notKey(to *string) func(string) error {
	return func(s string) error {
		if _, err := identity.ParseKey(s); err == nil {
			return errors.New("this is a key, not a name: keys are read from files and from stdin only")
		}
		return text(to)(s)
	}
}

// addresses is a list of HOST[:PORT]. Whether there is such a host only dialling tells.
func addresses(to *[]string) func(string) error {
	return func(s string) error {
		all := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
		if len(all) == 0 {
			return errors.New("it needs a value")
		}
		for _, a := range all {
			host, port, err := net.SplitHostPort(a)
			if n, bad := strconv.ParseUint(port, 10, 16); err == nil && (host == "" || bad != nil || n == 0) {
				return fmt.Errorf("%q is not HOST or HOST:PORT, with a port from 1 to 65535", a)
			}
		}
		*to = append(*to, all...)
		return nil
	}
}

func yes(to *bool) func(string) error {
	return func(s string) (err error) {
		if *to, err = strconv.ParseBool(s); err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		return nil
	}
}

// asked is yes that takes anything else as no: EARSHOT_VERSION may well hold a version.
func asked(to *bool) func(string) error {
	return func(s string) error { *to, _ = strconv.ParseBool(s); return nil }
}

func number(to *int, least, most int) func(string) error {
	return func(s string) (err error) {
		if *to, err = strconv.Atoi(s); err != nil || *to < least || *to > most {
			return fmt.Errorf("%q is not a number from %d to %d", s, least, most)
		}
		return nil
	}
}

func rate(to *float64) func(string) error {
	return func(s string) (err error) {
		if *to, err = strconv.ParseFloat(s, 64); err != nil || !(*to >= 0 && *to <= 1e6) {
			return fmt.Errorf("%q is not a number of messages a second", s)
		}
		return nil
	}
}

// days is a number of whole days, as 365d.
func days(to *time.Duration) func(string) error {
	return func(s string) error {
		var n int
		if number(&n, 1, maxKeep)(strings.TrimSuffix(s, "d")) != nil {
			return fmt.Errorf("%q is not a number of days from 1d to %dd", s, maxKeep)
		}
		*to = time.Duration(n) * 24 * time.Hour
		return nil
	}
}

func duration(to *time.Duration, least, most time.Duration) func(string) error {
	return func(s string) (err error) {
		if *to, err = time.ParseDuration(s); err != nil || *to < least || *to > most {
			return fmt.Errorf("%q is not a time from %v to %v", s, least, most)
		}
		return nil
	}
}

func history(to *int) func(string) error {
	return func(s string) error {
		if s == "all" {
			*to = historyAll
			return nil
		}
		return number(to, 0, math.MaxInt32)(s)
	}
}

func oneOf(to *string, words ...string) func(string) error {
	return func(s string) error {
		if *to = strings.ToLower(s); !slices.Contains(words, *to) {
			return fmt.Errorf("%q is none of %s", s, strings.Join(words, ", "))
		}
		return nil
	}
}

func mouse(off *bool) func(string) error {
	return func(s string) error {
		var value string
		err := oneOf(&value, "on", "off")(s)
		*off = value == "off"
		return err
	}
}

func theme(to *string) func(string) error {
	return func(s string) error {
		*to = s
		_, err := look.Theme{}.With(s)
		return err
	}
}

func level(to **slog.Level) func(string) error {
	return func(s string) error {
		var l slog.Level
		if !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(s)) || l.UnmarshalText([]byte(s)) != nil {
			return fmt.Errorf("%q is not one of debug, info, warn and error", s)
		}
		*to = &l
		return nil
	}
}
