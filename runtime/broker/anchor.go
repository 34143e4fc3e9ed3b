package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
)

// snapshotFile is what kfake knows of a partition beside its records.
const snapshotFile = "snapshot.json"

// anchor makes sure that partitions without records go on counting where they are. kfake reads the next offset off the newest file with records; when
// retention has removed them all, a restart would begin at 0 again, below what readers have committed, and they would miss what is written until
// that is reached. So such a partition gets a file without content whose name says where it is, and a snapshot that goes with it.
func (s *Server) anchor() {
	dir := filepath.Join(s.cfg.Dir, dataDir)
	topics, err := storedTopics(dir)
	for _, t := range topics {
		var infos []*kfake.PartitionInfo
		if !s.ask(func(c *kfake.Cluster) { infos = c.PartitionInfos(t.Name) }) {
			return
		}
		for _, i := range infos {
			if err == nil && i.HighWatermark > 0 && i.LogStartOffset == i.HighWatermark {
				err = anchorAt(filepath.Join(dir, partitionDir, t.folder(i.Partition)), i.HighWatermark)
			}
		}
	}
	if err != nil {
		s.log.Warn("the offsets of empty partitions are not kept", "err", err)
	}
}

// anchorClosed is anchor for a broker that was closed, by what it wrote then.
func anchorClosed(dir string) error {
	folders, err := os.ReadDir(filepath.Join(dir, partitionDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range folders {
		path := filepath.Join(dir, partitionDir, f.Name())
		var last struct {
			Next int64 `json:"high_watermark"`
		}
		text, readErr := os.ReadFile(filepath.Join(path, snapshotFile))
		if readErr == nil && json.Unmarshal(text, &last) == nil && last.Next > 0 {
			err = errors.Join(err, anchorAt(path, last.Next))
		}
	}
	return err
}

// anchorAt anchors a partition that has no records. One that gets some meanwhile takes over the file.
func anchorAt(partition string, next int64) error {
	files, err := segments(partition)
	if err != nil {
		return err
	}
	name := strconv.FormatInt(next, 10) + ".dat"
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Size() > 0 {
			return err
		}
		if f.Name() != name {
			err = errors.Join(err, os.Remove(filepath.Join(partition, f.Name())))
		}
	}
	text := fmt.Appendf(nil, `{"version":1,"high_watermark":%[1]d,"last_stable_offset":%[1]d,"log_start_offset":%[1]d,"segments":[{"base_offset":%[1]d,"size":0}]}`, next)
	snapshot := filepath.Join(partition, snapshotFile)
	if old, readErr := os.ReadFile(snapshot); err == nil && readErr == nil && len(files) > 0 && bytes.Equal(old, text) {
		return nil
	}
	f, openErr := os.OpenFile(filepath.Join(partition, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if errors.Is(openErr, fs.ErrNotExist) {
		return nil // the topic was deleted
	}
	if err = errors.Join(err, openErr); err != nil {
		return err
	}
	return errors.Join(f.Close(), os.WriteFile(snapshot+".tmp", text, 0o644), os.Rename(snapshot+".tmp", snapshot))
}

// storedTopic is a topic as the broker keeps it.
type storedTopic struct {
	Name       string            `json:"name"`
	Partitions int               `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

// folder is where the records of a partition are.
func (t storedTopic) folder(partition int32) string {
	return fmt.Sprintf("%s-%d", url.PathEscape(t.Name), partition)
}

// storedTopics reads the topics that the broker has stored.
func storedTopics(dir string) ([]storedTopic, error) {
	text, err := os.ReadFile(filepath.Join(dir, "topics.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var stored struct {
		Topics []storedTopic `json:"topics"`
	}
	if err == nil {
		err = json.Unmarshal(text, &stored)
	}
	return stored.Topics, err
}
