package broker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Beside the records of the embedded broker.
const (
	partitionDir = "partitions"
	keptDir      = "compacting"     // the files of compacted partitions, as they were before the compaction that is under way
	unkeptDir    = "compacting.old" // the same, not complete or of no use any more
)

// clean applies retention and compaction. kfake compacts in place: it deletes a partition's files and writes what is left of them anew, so that a death
// or a full disk in between would take acknowledged records along. The files are kept under second names meanwhile, no record is taken, and
// the next start brings them back if they are still there.
func (s *Server) clean() {
	if s.cfg.Dir != "" {
		defer s.anchor()
	}
	dir := filepath.Join(s.cfg.Dir, dataDir)
	list, err := compacted(dir)
	if s.cfg.Dir == "" || err == nil && len(list) == 0 {
		s.ask((*kfake.Cluster).Compact) // applies retention too
		return
	}
	s.disk.hold.Store(true)
	defer s.disk.hold.Store(false)
	s.ask(func(c *kfake.Cluster) { c.GroupInfo("") }) // what was taken before is written
	var size uint64
	if err == nil {
		size, err = keep(dir, list)
	}
	if err == nil {
		err = room(s.cfg.Dir, size, s.disk.free)
	}
	tidy := (*kfake.Cluster).Compact
	if err != nil {
		s.log.Warn("topics are not compacted now", "err", err)
		tidy = (*kfake.Cluster).ApplyRetention
	}
	if !s.ask(tidy) {
		return
	}
	if err := unkeep(dir); err != nil {
		s.disk.abort(err)
	}
}

// compacted lists the folders of partitions that are compacted.
func compacted(dir string) ([]string, error) {
	topics, err := storedTopics(dir)
	var list []string
	for _, t := range topics {
		for i := range int32(t.Partitions) {
			if strings.Contains(t.Configs[keyPolicy], "compact") {
				list = append(list, t.folder(i))
			}
		}
	}
	return list, err
}

// keep gives the files of partitions second names, all or none, and gives their size.
func keep(dir string, partitions []string) (size uint64, err error) {
	if err := os.RemoveAll(filepath.Join(dir, unkeptDir)); err != nil {
		return 0, err
	}
	for _, p := range partitions {
		files, err := segments(filepath.Join(dir, partitionDir, p))
		if err != nil {
			return 0, err
		}
		to := filepath.Join(dir, unkeptDir, p)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return 0, err
		}
		for _, f := range files {
			if err := os.Link(filepath.Join(dir, partitionDir, p, f.Name()), filepath.Join(to, f.Name())); err != nil {
				return 0, err
			}
			if info, err := f.Info(); err == nil {
				size += uint64(info.Size())
			}
		}
	}
	return size, os.Rename(filepath.Join(dir, unkeptDir), filepath.Join(dir, keptDir))
}

// unkeep forgets what was kept.
func unkeep(dir string) error {
	err := os.Rename(filepath.Join(dir, keptDir), filepath.Join(dir, unkeptDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.RemoveAll(filepath.Join(dir, unkeptDir)) // or the next time
	return nil
}

// restore brings back what was kept when the broker died. Dying in it does no harm.
func restore(dir string) error {
	kept, err := os.ReadDir(filepath.Join(dir, keptDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, p := range kept {
		if err == nil {
			err = restorePartition(filepath.Join(dir, keptDir, p.Name()), filepath.Join(dir, partitionDir, p.Name()))
		}
	}
	if err != nil {
		return err
	}
	return unkeep(dir)
}

func restorePartition(from, to string) error {
	files, err := segments(from)
	if err != nil {
		return err
	}
	mine := map[string]bool{}
	for _, f := range files {
		mine[f.Name()] = true
		next := filepath.Join(to, f.Name()+".tmp")
		_ = os.Remove(next) // of an earlier attempt
		if err := errors.Join(os.MkdirAll(to, 0o755), os.Link(filepath.Join(from, f.Name()), next), os.Rename(next, filepath.Join(to, f.Name()))); err != nil {
			return err
		}
		_ = os.Remove(next) // it stays if the names were of the same file
	}
	there, err := segments(to)
	for _, f := range there {
		if err == nil && !mine[f.Name()] {
			err = os.Remove(filepath.Join(to, f.Name()))
		}
	}
	return err
}

// segments lists the files with records of a partition, and their indexes. No folder: none.
func segments(dir string) (list []fs.DirEntry, err error) {
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range all {
		if ext := filepath.Ext(f.Name()); f.Type().IsRegular() && (ext == ".dat" || ext == ".idx") {
			list = append(list, f)
		}
	}
	return list, err
}
