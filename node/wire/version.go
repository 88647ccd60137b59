package wire

import (
	"errors"
	"fmt"

	"earshot/node/message"
)

// ErrVersion is wrapped where the other side speaks another protocol; the error says which side to upgrade.
var ErrVersion = errors.New("versions differ")

// A versionError is a sentence for the user.
type versionError string

func (e versionError) Error() string        { return string(e) }
func (e versionError) Is(target error) bool { return target == ErrVersion }

// CheckVersion returns an error that wraps ErrVersion and names who must upgrade, where h cannot be talked to.
func CheckVersion(h *Hello) error {
	if h.Version == Version {
		return nil
	}
	who := "this machine"
	if h.Version < Version {
		who = "that machine"
	}
	return versionError(fmt.Sprintf("%s runs earshot protocol %d, this is %d: upgrade %s", message.ShowNick(h.Nick), h.Version, Version, who))
}
