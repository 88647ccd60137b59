//go:build unix && !linux

package rescue

import "os"

func shorten(*os.File) {}
