package command

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/look"
)

// At is where a line was typed.
type At struct {
	Room     string // the current one, "#name" or "@nick"
	Snapshot node.Snapshot
	Version  string // of the program, for /version
	// Whois tells who someone is; *node.Node's is one. It must not wait for others.
	Whois func(person string) (node.Whois, error)
	// Recent are the newest messages told, of all rooms, oldest first: what /reply, /edit, /delete and /react may mean.
	Recent []node.Message
	// ServerOnly: this is the console of a box, which shows nobody's words, topics included.
	ServerOnly bool
	// Behind: there are newer messages than these, so that none of them is meant where none is named by its id.
	Behind bool
}

// An Action is what a line comes to. The zero Action is an empty line: nothing to do.
type Action struct {
	// Do is for node.Do; nil: nothing. What follows holds only once it has succeeded.
	Do node.Command
	// Show is the room to go to, which Known finds when Do is done; empty: stay.
	Show string
	// Lines is an answer for the user's own eyes.
	Lines []string
	// QR is what is to be shown as a QR code besides; empty: nothing.
	QR string
	// Members is a private room whose members are to be shown.
	Members string
	// Help: /help without an argument. Lines hold the list of commands for front ends that have nothing better.
	Help bool
	// Set is a setting of the full screen, to be shown or, where Value is not empty, changed. Lines is for front ends that have none.
	Set *Setting
	// Find is what to look for in the history; empty: the front end asks, if it can.
	Find *string
	// Export is the file that the room's history goes to; empty: the front end finds a name.
	Export *string
	Clear  bool // forget what the screen shows; Lines is for front ends that have none
	// History, if it is not 0, is how many of the room's newest lines are to be shown.
	History int
	Quit    bool
}

// A Setting is how the full screen looks or behaves, for as long as it runs, or what it does: "theme", "notify", "mouse", "copy", "open". Value is one that it takes.
type Setting struct{ Name, Value string }

// IsCommand reports whether a line is no text: it begins with a slash, and not with two.
func IsCommand(line string) bool {
	return strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//")
}

// Parse returns what a line of input asks for. A line that begins with "//" is text that begins with one slash; any other that begins with
// a slash is a command, and never said. Errors are *node.Error. Text may have several lines; blank ones around it are dropped. The shortcode of an emoji, ":tada:", becomes the emoji where it
// stands by itself, outside of code.
func Parse(input string, at At) (Action, error) {
	a, err := parse(input, at)
	if err != nil {
		return Action{}, err
	}
	a.Do = drawn(a.Do)
	return a, nil
}

func parse(input string, at At) (Action, error) {
	text := strings.TrimRightFunc(strings.TrimLeft(input, "\r\n"), unicode.IsSpace)
	if strings.TrimSpace(text) == "" {
		return Action{}, nil
	}
	if !IsCommand(text) {
		text = strings.TrimPrefix(text, "/")
		return Action{Do: node.Say{Room: at.Room, Text: text}}, fits(text)
	}
	name, args := split(text[1:])
	if Group(name) {
		word, rest := split(args)
		switch {
		case word == "" && !strings.EqualFold(name, "room"):
			lines, err := Help(name)
			return Action{Lines: lines}, err
		case word == "":
			word = "members" // what one may look at without harm
		}
		name, args = strings.ToLower(name)+" "+word, rest
	}
	spec, ok := Lookup(name)
	switch {
	case !ok:
		return Action{}, unknown(name)
	case !spec.Built():
		return Action{}, &node.Error{Text: "/" + spec.Name + " is not in this version", Hint: "/help lists the commands"}
	case spec.Args == "" && args != "":
		return Action{}, &node.Error{Text: "/" + spec.Name + " takes nothing after it", Hint: "usage: " + spec.Usage()}
	case at.ServerOnly && (spec.Name == "search" || spec.Name == "export" || spec.Name == "topic" && args == ""):
		return Action{}, &node.Error{Text: "a server-only box shows nobody's words", Hint: "earshot search WORDS looks through its history"}
	}
	return spec.run(spec, args, at)
}

// comesTo is a command that is always the same.
func comesTo(a Action) func(Spec, string, At) (Action, error) {
	return func(Spec, string, At) (Action, error) { return a, nil }
}

// answers is a command that says how things stand.
func answers(lines func(node.Snapshot) []string) func(Spec, string, At) (Action, error) {
	return func(_ Spec, _ string, at At) (Action, error) { return Action{Lines: lines(at.Snapshot)}, nil }
}

// oneOf is a setting that takes few words.
func oneOf(words ...string) func(Spec, string, At) (Action, error) {
	return func(spec Spec, args string, _ At) (Action, error) {
		if args != "" && !slices.Contains(words, strings.ToLower(args)) {
			return Action{}, noneOf(spec, args, words...)
		}
		return setting(spec, args), nil
	}
}

func noneOf(spec Spec, args string, words ...string) error {
	return usage(spec, fmt.Sprintf("%q is none of %s", args, strings.Join(words, ", ")))
}

// setting is what the full screen does; line mode says that it has none.
func setting(spec Spec, value string) Action {
	return Action{Set: &Setting{spec.Name, strings.ToLower(value)}, Lines: []string{"/" + spec.Name + " is for the full screen"}}
}

func theme(spec Spec, args string, _ At) (Action, error) {
	if _, err := (look.Theme{}).With(args); err != nil {
		return Action{}, usage(spec, err.Error())
	}
	return setting(spec, args), nil
}

func help(_ Spec, args string, _ At) (Action, error) {
	lines, err := Help(args)
	return Action{Lines: lines, Help: args == ""}, err
}

func version(_ Spec, _ string, at At) (Action, error) {
	return Action{Lines: []string{strings.TrimSpace("earshot " + at.Version)}}, nil
}

func search(_ Spec, args string, _ At) (Action, error) { return Action{Find: &args}, nil }

func export(_ Spec, args string, _ At) (Action, error) {
	args = strings.Trim(args, `"`)
	return Action{Export: &args}, nil
}

func me(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{}, usage(spec, "what do you do?")
	}
	return Action{Do: node.Say{Room: at.Room, Text: args, Action: true}}, fits(args)
}

func nick(_ Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{Lines: []string{"you are " + at.Snapshot.Me.Nick + "; /nick NAME changes it"}}, nil
	}
	name, err := message.CleanNick(args)
	if err != nil {
		return Action{}, &node.Error{Text: err.Error(), Hint: fmt.Sprintf("a nick has up to %d letters and no spaces", message.MaxNick)}
	}
	return Action{Do: node.Rename{Nick: name}}, nil
}

func join(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{}, usage(spec, "which room?")
	}
	room, err := at.roomName(args)
	return Action{Do: node.Join{Room: room}, Show: room}, err
}

// Lobby is the room everyone is in, as front ends name it.
const Lobby = "#" + message.Lobby

func roomName(s string) (string, error) {
	name, err := message.CleanRoom(s)
	if err != nil {
		return "", &node.Error{Text: err.Error(), Hint: "a room is called like #build: small letters, digits, - _ ."}
	}
	return "#" + name, nil
}

// roomName is the name of a room that is known, or that may be one.
func (at At) roomName(s string) (string, error) {
	if r, ok := Known(at.Snapshot, "#"+strings.TrimPrefix(s, "#")); ok {
		return r.Name, nil
	}
	return roomName(s)
}

// theRoom is the room or the conversation that args names, or the current one.
func (at At) theRoom(args string) (string, error) {
	switch r, ok := Known(at.Snapshot, args); {
	case args == "":
		return at.Room, nil
	case ok:
		return r.Name, nil
	case strings.HasPrefix(args, "@"):
		return "", &node.Error{Text: "there is no conversation with " + args[1:], Hint: "/query PERSON opens one"}
	}
	return at.roomName(args)
}

// split parts a command's name from what follows it.
func split(s string) (name, args string) {
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		return s[:i], strings.TrimSpace(s[i:])
	}
	return s, ""
}

func fits(text string) error {
	if n := len(text); n > message.MaxText {
		return &node.Error{Text: fmt.Sprintf("this has %d bytes and a message at most %d", n, message.MaxText), Hint: "say it in several messages"}
	}
	if n := strings.Count(text, "\n") + 1; n > message.MaxLines {
		return &node.Error{Text: fmt.Sprintf("this has %d lines and a message at most %d", n, message.MaxLines), Hint: "say it in several messages"}
	}
	return nil
}

func usage(spec Spec, text string) error {
	return &node.Error{Text: text, Hint: "usage: " + spec.Usage()}
}

func unknown(name string) error {
	e := &node.Error{Text: "there is no command /" + name, Hint: "/help lists the commands"}
	group, _ := split(name)
	switch near := Nearest(name); {
	case strings.Contains(name, "/"):
		e.Hint = "text that begins with a slash is typed with two: //" + name
	case near != "":
		e.Hint = "did you mean /" + near + "?"
	case Group(group):
		e.Hint = "/help " + group + " lists those there are"
	}
	return e
}
