package tests

import (
	"strings"
	"testing"

	"faust/tests/crash"
	"faust/tests/drive"
)

// One of two workers is killed under load on the embedded broker: nothing is lost, and it has its partitions back soon.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	broker := drive.Start(t, t.TempDir(), nil, "broker", "--port", "0")
	address := "127.0.0.1:" + strings.TrimRight(strings.Fields(broker.WaitFor("127.0.0.1:"))[0], ",.;)")
	crash.New(t, address, "crash").KillUnderLoad()
}
