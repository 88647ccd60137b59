package command

import (
	"strings"

	"earshot/node"
)

// rotate changes the network's key, or says what that would do: /key rotate --except mallory --yes
func rotate(spec Spec, args string, _ At) (Action, error) {
	c, err := rotateWords(strings.Fields(args))
	if err != nil {
		return Action{}, usage(spec, err.Error())
	}
	return Action{Do: c}, nil
}

func acceptKey(_ Spec, args string, _ At) (Action, error) {
	return Action{Do: node.AcceptKey{From: args}, Lines: []string{"going on with the new key"}}, nil
}

// rotateWords reads who is to have a new key: --all, or --only or --except and people after it, by spaces or commas; --yes means it.
func rotateWords(words []string) (c node.Rotate, err error) {
	var to *[]string
	for _, w := range words {
		switch w {
		case "--all":
			c.All, to = true, nil
		case "--yes":
			c.Sure, to = true, nil
		case "--only":
			to = &c.Only
		case "--except":
			to = &c.Except
		default:
			if to == nil || strings.HasPrefix(w, "-") {
				return c, &node.Error{Text: "what is " + w + "?"}
			}
			*to = append(*to, strings.FieldsFunc(w, func(r rune) bool { return r == ',' })...)
		}
	}
	if c.Sure && !c.All && len(c.Only) == 0 && len(c.Except) == 0 {
		return c, &node.Error{Text: "who is to have the new key?"}
	}
	return c, nil
}
