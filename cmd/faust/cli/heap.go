package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapFloor is the heap size below which no collection starts. The record path keeps little alive and allocates steadily; with the
// engine's default the collector would run every few megabytes.
const heapFloor = 64 << 20

// holdHeapFloor makes the next collection start at the floor or at twice what is alive, whichever is more; again after each collection.
// An explicit GOGC stands.
func holdHeapFloor() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(heapPercent(4 << 20))
	type sentinel struct{ _ [16]byte }
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var adjust func(*sentinel)
	adjust = func(s *sentinel) {
		metrics.Read(live)
		debug.SetGCPercent(heapPercent(live[0].Value.Uint64()))
		runtime.SetFinalizer(s, adjust)
	}
	runtime.SetFinalizer(&sentinel{}, adjust)
}

// heapPercent gives the GOGC at which, with so many bytes alive, the next collection starts at the floor, but at least the usual 100.
func heapPercent(live uint64) int {
	live = max(live, 1<<20)
	return max(100, int(heapFloor*100/live)-100)
}
