package journal_test

import (
	"os"
	"testing"

	"earshot/node/nodetest/disk"
)

func TestMain(m *testing.M) { os.Exit(disk.InMemory(m)) }
