package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Groups lists the consumer groups of the cluster.
func (c *Client) Groups(ctx context.Context) ([]string, error) {
	all, err := c.admin.ListGroups(ctx)
	if err != nil {
		return nil, c.wrap(err, "list groups")
	}
	return all.Groups(), nil
}

// Missing tells whether an error is that of a topic that does not exist, or not any more.
func Missing(err error) bool {
	var e *Error
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID) || errors.As(err, &e) && e.Class == MissingTopic
}

// ErrMembers is the error of a group that cannot be deleted because it has members.
var ErrMembers = errors.New("it has members")

// Forget deletes groups with their offsets; missing ones are no error. ErrMembers: one has members, and stays.
func (c *Client) Forget(ctx context.Context, groups ...string) error {
	for _, name := range groups {
		resp, err := c.admin.DeleteGroup(ctx, name)
		if err == nil {
			err = resp.Err
		}
		switch {
		case err == nil, errors.Is(err, kerr.GroupIDNotFound):
		case errors.Is(err, kerr.NonEmptyGroup):
			return fmt.Errorf("delete group %s: %w", name, ErrMembers)
		default:
			return c.wrap(err, "delete group %s", name)
		}
	}
	return nil
}

// Erase is Delete, and returns when the topics are gone, so that they can be created anew.
func (c *Client) Erase(ctx context.Context, names ...string) error {
	if err := c.Delete(ctx, names...); err != nil || len(names) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		left, err := existing(ctx, c.kafka, names)
		if err != nil {
			return c.wrap(err, "look up topics")
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until topics %s are gone: %w", strings.Join(names, ", "), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
