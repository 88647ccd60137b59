//go:build !unix

package rescue

import (
	"errors"
	"os"
)

func Watching() bool { return false }

func Watch(*os.File) (end func(), err error) { return nil, errors.ErrUnsupported }
