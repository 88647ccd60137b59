package command

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"earshot/node"
	"earshot/node/message"
)

// shortest is how many digits of an id name one of the newest messages: a word that looks like that hits one of a thousand in one of sixty-five cases. exact is how many name any.
const (
	shortest = 4
	exact    = 8
	newest   = 1000
)

// pick finds the message that the first word of args names, and returns what follows that. A number counts back among those that may be meant, from 1; an id is given by its first digits, of
// any room; "last" is the newest, and so is no such word at all. What looks like an id that no message has is not taken for a word: it would be said, or change another message than was meant. may
// says which may be meant.
func (at At) pick(args string, may func(*node.Message) bool) (m *node.Message, rest string, err error) {
	word, rest := split(args)
	for i := len(at.Recent) - 1; i >= 0 && len(word) >= shortest; i-- {
		if len(at.Recent)-i > newest && len(word) < exact {
			break
		}
		m := &at.Recent[i]
		if strings.HasPrefix(hex.EncodeToString(m.ID[:]), strings.ToLower(word)) {
			return m, rest, nil
		}
	}
	if at.Behind {
		return nil, "", &node.Error{Text: "which message? the newest is not there yet", Hint: "press Enter again in a moment; Tab chooses another"}
	}
	n, err := strconv.ParseUint(word, 10, 8) // without a sign: +1 is an emoji
	switch {
	case isID(word):
		return nil, "", &node.Error{Text: "there is no message " + word + " among the newest", Hint: "give the id of one that was told lately; last is the newest, also before a word like that"}
	case word == "last":
		n = 1
	case err != nil || n == 0 || n > 99:
		n, rest = 1, args
	}
	for i, back := len(at.Recent)-1, n; i >= 0; i-- {
		m := &at.Recent[i]
		if m.Room != at.Room || m.Redacted || !may(m) {
			continue
		}
		if back--; back == 0 {
			return m, rest, nil
		}
	}
	return nil, "", &node.Error{Text: fmt.Sprintf("there is no such message among the newest in %s", at.Room), Hint: "a number counts back: 1 is the newest, 2 the one before"}
}

// isID reports whether a word looks like how an id begins: long enough to name any message, of hexadecimal digits alone. Shorter than a whole id it has letters and figures, for "deadbeef" is a word and
// 20261120 a number.
func isID(word string) bool {
	const figures, letters = "0123456789", "abcdefABCDEF"
	if len(word) < exact || len(word) > 2*len(message.ID{}) || strings.Trim(word, figures+letters) != "" {
		return false
	}
	return len(word) == 2*len(message.ID{}) || strings.ContainsAny(word, figures) && strings.ContainsAny(word, letters)
}

func said(m *node.Message) bool { return m.Kind != message.Topic }

func mine(m *node.Message) bool { return m.Mine && said(m) }

// another finds the message that args name; where none is named, what somebody else said last.
func (at At) another(args string) (m *node.Message, rest string, err error) {
	m, rest, err = at.pick(args, said)
	if rest == args && err == nil {
		if other, _, fault := at.pick("", func(m *node.Message) bool { return said(m) && !m.Mine }); fault == nil {
			m = other
		}
	}
	return m, rest, err
}

func reply(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{}, usage(spec, "what do you answer?")
	}
	m, text, err := at.another(args)
	switch {
	case err != nil:
		return Action{}, err
	case text == "":
		return Action{}, usage(spec, "what do you answer?")
	}
	return Action{Do: node.Reply{To: m.Ref(), Text: text}}, fits(text)
}

func edit(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{}, usage(spec, "what should it say?")
	}
	m, text, err := at.pick(args, mine)
	switch {
	case err != nil:
		return Action{}, err
	case text == "":
		return Action{}, usage(spec, "what should it say?")
	}
	return Action{Do: node.Edit{Target: m.Ref(), Text: text}}, fits(text)
}

func remove(spec Spec, args string, at At) (Action, error) {
	m, rest, err := at.pick(args, mine)
	switch {
	case err != nil:
		return Action{}, err
	case rest != "":
		return Action{}, usage(spec, "which message? "+strconv.Quote(rest)+" names none")
	}
	return Action{Do: node.Redact{Target: m.Ref()}}, nil
}

func react(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{}, usage(spec, "react with what?")
	}
	m, emoji, err := at.another(args)
	switch {
	case err != nil:
		return Action{}, err
	case emoji == "":
		return Action{}, usage(spec, "react with what?")
	}
	if picture, ok := picture(emoji); ok {
		emoji = picture
	}
	shown := func(r node.Reaction) bool { return r.Mine && r.Emoji == emoji } // an earlier version took any word, which is still to be taken back
	if !isEmoji(emoji) && !slices.ContainsFunc(m.Reactions, shown) {
		return Action{}, &node.Error{Text: strconv.Quote(emoji) + " is no emoji", Hint: "react with one, or with its name: /react 👍, /react :tada:"}
	}
	return Action{Do: node.React{Target: m.Ref(), Emoji: emoji}}, nil
}

// topic shows or sets what the room is about.
func topic(_ Spec, args string, at At) (Action, error) {
	if args != "" {
		return Action{Do: node.SetTopic{Room: at.Room, Text: args}}, nil
	}
	for _, r := range at.Snapshot.Rooms {
		if r.Name == at.Room && r.Topic.Text != "" {
			return Action{Lines: []string{fmt.Sprintf("%s is about: %s (said %s, %s)", r.Name, r.Topic.Text, r.Topic.Nick, stamp(r.Topic.At))}}, nil
		}
	}
	return Action{Lines: []string{at.Room + " has no topic; /topic TEXT sets one"}}, nil
}
