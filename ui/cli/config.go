package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/peterbourgon/ff/v3"
)

// configFile returns where the config file is looked for, or nothing where this user has no home folder.
func configFile() string {
	dir, err := userDir("XDG_CONFIG_HOME", os.UserConfigDir)
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "earshot", "config")
}

// dataDir returns where identity, keys and history are kept unless --data-dir says otherwise: $XDG_DATA_HOME or ~/.local/share; on Windows the
// local (not the roaming) application data, since a database must not roam; on macOS ~/Library/Application Support.
func dataDir() (string, error) {
	dir, err := userDir("XDG_DATA_HOME", func() (string, error) {
		switch runtime.GOOS {
		case "windows":
			return os.UserCacheDir() // %LocalAppData%
		case "darwin", "ios":
			return os.UserConfigDir()
		}
		home, err := os.UserHomeDir()
		return filepath.Join(home, ".local", "share"), err
	})
	if err != nil {
		return "", failure("this user has no home folder: "+err.Error(), "choose a folder with --data-dir")
	}
	return filepath.Join(dir, "earshot"), nil
}

// userDir returns the folder an XDG variable names, where it is absolute as the specification demands, else the system's.
func userDir(variable string, system func() (string, error)) (string, error) {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir, nil
	}
	return system()
}

// configParser reads lines "name value" (or "name = value"; "name" alone is yes); empty lines and those that begin with # say nothing.
// A name may come more than once where its flag may. Errors are *Error.
func configParser(file string, settings []*setting) ff.ConfigFileParser {
	known := slices.DeleteFunc(names(settings), func(n string) bool { return n == "help" || n == "version" || n == "qr" })
	return func(r io.Reader, set func(name, value string) error) error {
		lines := bufio.NewScanner(r)
		for n := 1; lines.Scan(); n++ {
			line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
			if line == "" || line[0] == '#' {
				continue
			}
			name, value := line, "true"
			if i := strings.IndexAny(line, " \t="); i >= 0 {
				name, value = line[:i], strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line[i:]), "="))
			}
			if !slices.Contains(known, name) {
				return usage(fmt.Sprintf("%s, line %d: there is no setting %q", file, n, name), nearestHint("", name, known))
			}
			if name == line && slices.ContainsFunc(settings, func(s *setting) bool { return s.name == name && !s.IsBoolFlag() }) {
				return usage(fmt.Sprintf("%s, line %d: %s needs a value", file, n, name), "earshot --help tells which")
			}
			if err := set(name, value); err != nil {
				if bad := (*badValue)(nil); errors.As(err, &bad) {
					err = bad
				}
				return usage(fmt.Sprintf("%s, line %d: %s: %v", file, n, name, err), "")
			}
		}
		if err := lines.Err(); err != nil {
			return failure(fmt.Sprintf("read %s: %v", file, err), "")
		}
		return nil
	}
}
