package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicID gives the id that the cluster gave a topic when it was created: one of the same name that was deleted and made anew has another. A topic that
// does not exist is an *Error of class MissingTopic. Zero: the cluster has no ids.
func (c *Client) TopicID(ctx context.Context, name string) (id [16]byte, err error) {
	details, err := existing(ctx, c.kafka, []string{name})
	if err != nil {
		return id, c.wrap(err, "look up topics")
	}
	d, ok := details[name]
	if !ok {
		return id, topicError(name, kerr.UnknownTopicOrPartition, "")
	}
	return d.TopicID, nil
}
