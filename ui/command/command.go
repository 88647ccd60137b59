// Package command is what a user can type: it turns a line of input into what is to be done and said, the same for every front end.
//
// Table is the one list of commands; parsing, help and completion are read from it. Parse never sends anything and never waits: it returns
// an Action, which the front end carries out. Answers (/who, /hub, /rooms, /realms) are rendered from a node.Snapshot as plain lines.
//
// Everything here is a pure function; nothing is kept between calls. What the lines hold of other people's text (nicks, room names) is as
// clean as the Snapshot it came from.
package command

import (
	"slices"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// IdleAfter is how long a person types nothing before the others are told that they are away.
const IdleAfter = 10 * time.Minute

// A Spec says what a command is called and what it is for.
type Spec struct {
	Name    string   // without the slash
	Aliases []string // other names
	Args    string   // as shown in help: "[command]", "NAME", empty where it takes none
	Help    string   // one line, without a full stop

	run func(spec Spec, args string, at At) (Action, error) // nil: this version answers that it is not there yet
}

// Built reports whether it is in this version.
func (s Spec) Built() bool { return s.run != nil }

// Usage returns the command as it is typed: "/join #room".
func (s Spec) Usage() string { return strings.TrimSpace("/" + s.Name + " " + s.Args) }

// Table returns all commands in the order help shows them.
func Table() []Spec {
	return []Spec{
		{"help", []string{"h", "?"}, "[command]", "show the commands, or what one of them does", help},
		{"nick", nil, "NAME", "be called NAME, from now on and after a restart", nick},
		{"me", nil, "TEXT", "say what you do: /me waves", me},
		{"reply", []string{"r"}, "[ID] TEXT", "answer another's newest message, or any", reply},
		{"edit", []string{"e"}, "[ID] TEXT", "correct your last message, or another of yours", edit},
		{"delete", nil, "[ID]", "delete your last message, or another, for everyone", remove},
		{"react", nil, "[ID] EMOJI", "react to another's newest message, or take it back", react},
		{"topic", nil, "[TEXT]", "show or set what the room is about", topic},
		{"who", nil, "", "list who is here", answers(Who)},
		{"names", nil, "", "list who is in this room, and when they last spoke", members},
		{"hub", nil, "", "say which machine is the hub, and who could be", answers(Hub)},
		{"rooms", []string{"list"}, "", "list the rooms", rooms},
		{"join", []string{"j"}, "#ROOM", "open a public room, or make one", join},
		{"leave", []string{"part"}, "[#ROOM]", "close a room or a conversation", leave},
		{"msg", []string{"m", "w"}, "PERSON TEXT", "say something to one person, end-to-end encrypted", msg},
		{"query", []string{"dm"}, "PERSON [TEXT]", "open a conversation with one person", query},
		{"receipts", nil, "[on|off]", "choose whether the other is told what you have read", receipts},
		{"read", nil, "[#ROOM|@NICK]", "say that you have read a room or a conversation", read},
		{"room new", nil, "NAME", "make a private room, end-to-end encrypted", newRoom},
		{"invite", nil, "PERSON", "invite someone to your private room", invite},
		{"accept", nil, "[#ROOM]", "accept an invitation", answer},
		{"decline", nil, "[#ROOM]", "decline an invitation", answer},
		{"remove", nil, "PERSON", "take someone out of your private room", expel},
		{"room members", nil, "[#ROOM]", "show who can read a private room", members},
		{"room hand-over", nil, "NICK", "make another member the owner of your private room", handOver},
		{"room copy", nil, "NAME", "make a new private room with the members of this one", copyRoom},
		{"room leave", nil, "[#ROOM]", "leave a private room", leaveRoom},
		{"away", nil, "[TEXT]", "tell the others that you are away, and why", away},
		{"back", nil, "", "tell the others that you are back", comesTo(Action{Do: node.SetAway{}, Lines: []string{"welcome back"}})},
		{"typing", nil, "[on|off]", "choose whether the others are told when you type", typing},
		{"mute", nil, "[#ROOM]", "keep a room from asking for attention", mute},
		{"unmute", nil, "[#ROOM]", "let it ask again", mute},
		{"history", nil, "[N]", "show what was said before", history},
		{"whois", nil, "PERSON", "show who someone is", whois},
		{"fingerprint", nil, "[PERSON]", "show your fingerprint, or another's", fingerprint},
		{"verify", nil, "PERSON [TEXT]", "compare fingerprints: with TEXT that they read", verify},
		{"unverify", nil, "PERSON", "no longer be sure of someone", unverify},
		{"ignore", nil, "[PERSON]", "hide what someone says and does; alone: list whose", ignore},
		{"unignore", nil, "PERSON", "show again what someone says", unignore},
		{"ping", nil, "[NICK]", "show how long a word takes to the hub and back", ping},
		{"net", nil, "", "show what is known of the network", answers(Net)},
		{"key rotate", nil, "[WHO]", "give the network a new key, but not to everybody", rotate},
		{"key accept", nil, "[NICK]", "take the new key that somebody offers", acceptKey},
		{"key decline", nil, "", "do not take it", comesTo(Action{Do: node.DeclineKey{}, Lines: []string{"the new key is not taken"}})},
		{"realms", nil, "", "list the gatherings whose history is kept here", answers(Realms)},
		{"resend", nil, "", "say again what could not be delivered", comesTo(Action{Do: node.Resend{}})},
		{"clear", nil, "", "empty the screen; history stays", comesTo(Action{Clear: true, Lines: []string{"/clear is for the full screen"}})},
		{"theme", nil, "[NAME]", "choose the colours, and ascii or unicode", theme},
		{"notify", nil, "[WHAT]", "choose what rings the bell: all, mentions or off", oneOf("all", "mentions", "off")},
		{"mouse", nil, "[on|off]", "use the mouse; off: leave it to the terminal", oneOf("on", "off")},
		{"copy", nil, "", "copy the newest message (Tab chooses another)", oneOf()},
		{"open", nil, "", "open the newest link", oneOf()},
		{"search", nil, "[WORDS]", "search everything that was said", search},
		{"export", nil, "[FILE]", "write this room's history to a file", export},
		{"version", nil, "", "say which version this is", version},
		{"quit", []string{"exit"}, "", "leave the chat", comesTo(Action{Quit: true})},

		{Name: "send", Args: "FILE", Help: "offer a file"},
	}
}

// Lookup returns the command called name or one of its aliases, in any letter case.
func Lookup(name string) (Spec, bool) {
	name = strings.ToLower(name)
	for _, s := range Table() {
		if s.Name == name || slices.Contains(s.Aliases, name) {
			return s, true
		}
	}
	return Spec{}, false
}

// Group reports whether name stands before the names of several commands: "room".
func Group(name string) bool { return len(group(name)) > 0 }

func group(name string) []Spec {
	return slices.DeleteFunc(Table(), func(s Spec) bool {
		before, _, ok := strings.Cut(s.Name, " ")
		return !ok || !strings.EqualFold(before, name)
	})
}

// Secludes reports whether a line asks to go where few can read, so that what follows it may be meant for them alone.
func Secludes(line string) bool { return asks(line, "query", "accept", "room new", "room copy") }

// Targets reports whether a line is about a message.
func Targets(line string) bool { return asks(line, "reply", "edit", "delete", "react") }

// asks reports whether a line is one of these commands.
func asks(line string, names ...string) bool {
	name, args := split(strings.TrimPrefix(line, "/"))
	if Group(name) {
		word, _ := split(args)
		name += " " + word
	}
	spec, _ := Lookup(name)
	return IsCommand(line) && slices.Contains(names, spec.Name)
}

// Next says what the next word of a line may be, of which there is what stands before it: one of those that end a command's name, or a person.
func Next(before string) (ends []string, person bool) {
	if !IsCommand(before) {
		return nil, false
	}
	name, args := split(before[1:])
	if Group(name) {
		word, rest := split(args)
		if word == "" {
			for _, s := range group(name) {
				_, end, _ := strings.Cut(s.Name, " ")
				ends = append(ends, end)
			}
			return ends, false
		}
		name, args = name+" "+word, rest
	}
	spec, _ := Lookup(name)
	if strings.HasPrefix(args, "#") {
		_, args = split(args)
	}
	return nil, args == "" && (strings.Contains(spec.Args, "NICK") || strings.Contains(spec.Args, "PERSON"))
}

// Complete returns the names of the built commands that begin with prefix, in the order of Table.
func Complete(prefix string) []string {
	var names []string
	for _, s := range Table() {
		if s.Built() && strings.HasPrefix(s.Name, strings.ToLower(prefix)) {
			names = append(names, s.Name)
		}
	}
	return names
}

// Nearest returns the name of a built command, or another name that it has, that name was probably meant to be, or nothing: one that begins with it, or one a typing mistake away.
func Nearest(name string) string {
	name = strings.ToLower(name)
	if starts := Complete(name); name != "" && len(starts) > 0 {
		return starts[0]
	}
	best, found := 2, ""
	if len(name) > 4 {
		best = 3
	}
	for _, s := range Table() {
		for _, n := range append([]string{s.Name}, s.Aliases...) {
			if d := message.Edits(name, n); s.Built() && len(n) > 2 && d < best {
				best, found = d, n
			}
		}
	}
	return found
}
