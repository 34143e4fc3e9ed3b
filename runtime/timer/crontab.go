package timer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Parse reads a crontab expression: minute, hour, day of the month, month, day of the week ("0 20 * * 1-5"), with seconds in front if there are
// six fields; or @hourly, @daily, @weekly, @monthly, @yearly. The schedule goes by the time zone of the instant that Next is given. The
// error says what is wrong, and not with which expression.
func Parse(spec string) (Schedule, error) {
	switch {
	case strings.HasPrefix(spec, "@every"):
		return nil, errors.New("@every is no crontab: use a timer")
	case strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ="):
		return nil, errors.New("the time zone is not part of the expression")
	}
	if n := len(strings.Fields(spec)); !strings.HasPrefix(spec, "@") && n != 5 && n != 6 {
		return nil, fmt.Errorf("expected 5 fields (minute hour day month weekday) or 6 (second first), found %d", n)
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	s, err := parser.Parse(spec)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "cron: "))
	}
	if s.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, errors.New("there is no such day")
	}
	return s, nil
}
