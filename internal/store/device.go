package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// CreateDevice implements grant.DeviceStore.
func (s *Store) CreateDevice(ctx context.Context, d *grant.Device) error {
	issue, err := encode(&d.Issue)
	if err != nil {
		return err
	}
	return s.step(ctx, "keep a device", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO device (`+deviceColumns+`) VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, '', '', '', $8, 0, $9, $10, 0, '')`,
			string(d.ID), d.Digest, d.UserDigest, d.Pepper, string(d.App), issue, string(grant.DevicePending), int64(d.Interval/time.Second),
			micros(d.CreatedAt), micros(d.ExpiresAt))
		return err
	})
}

const deviceColumns = `id, digest, user_digest, pepper, app_id, issue, browser, state, user_id, grant_id, session_id, interval_s, polled_at, created_at, expires_at, consumed_at, family_id`

func scanDevice(row scanner) (*grant.Device, error) {
	var d grant.Device
	var issue string
	var interval, polled, created, expires, consumed int64
	if err := row.Scan(&d.ID, &d.Digest, &d.UserDigest, &d.Pepper, &d.App, &issue, &d.Browser, &d.State, &d.User, &d.Grant, &d.Session,
		&interval, &polled, &created, &expires, &consumed, &d.Family); err != nil {
		return nil, err
	}
	d.Interval = time.Duration(interval) * time.Second
	d.PolledAt, d.CreatedAt, d.ExpiresAt, d.ConsumedAt = moment(polled), moment(created), moment(expires), moment(consumed)
	return &d, decode(issue, &d.Issue)
}

// Device implements grant.DeviceStore.
func (s *Store) Device(ctx context.Context, device id.Device) (d *grant.Device, err error) {
	err = s.read("read a device", func(q querier) error {
		d, err = oneDevice(ctx, q, device)
		return err
	})
	return d, err
}

func oneDevice(ctx context.Context, q querier, device id.Device) (*grant.Device, error) {
	d, err := scanDevice(q.QueryRowContext(ctx, `SELECT `+deviceColumns+` FROM device WHERE id = $1`, string(device)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("device", string(device))
	}
	return d, err
}

// DeviceByCode implements grant.DeviceStore. One conditional statement both finds and binds: of two browsers that type the
// code at once the second waits and finds it bound, so nobody answers for a device that another is looking at.
func (s *Store) DeviceByCode(ctx context.Context, userDigests [][]byte, browser []byte, now time.Time) (d *grant.Device, err error) {
	unknown := fault.New(fault.NotFound, "no device waits with this code; begin again on the device")
	if len(userDigests) == 0 || len(browser) == 0 {
		return nil, unknown
	}
	err = s.step(ctx, "find a device", func(ctx context.Context, q querier) error {
		w := (&where{}).and(`user_digest IN (?`+strings.Repeat(`, ?`, len(userDigests)-1)+`)`, anys(userDigests)...).
			and(`state = ? AND expires_at > ?`, string(grant.DevicePending), micros(now))
		bound := w.arg(browser)
		d, err = scanDevice(q.QueryRowContext(ctx, `UPDATE device SET browser = `+bound+w.String()+` AND (browser IS NULL OR browser = `+bound+`)
			RETURNING `+deviceColumns, w.args...))
		if errors.Is(err, sql.ErrNoRows) {
			return unknown
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// AnswerDevice implements grant.DeviceStore. The conditional UPDATE comes first, since it alone decides; the grant is made
// only by the answer that counts, and if it is refused nothing was answered.
func (s *Store) AnswerDevice(ctx context.Context, device id.Device, browser []byte, a grant.Answer, now time.Time, ev audit.Event) (answered bool, err error) {
	if a.State != grant.DeviceApproved && a.State != grant.DeviceDenied || (a.State == grant.DeviceApproved) != (a.Grant != nil) {
		return false, fmt.Errorf("%q with a grant: %t is no answer to a device", a.State, a.Grant != nil)
	}
	err = s.step(ctx, "answer a device", func(ctx context.Context, q querier) error {
		answered = false
		var appID id.App
		err := q.QueryRowContext(ctx, `UPDATE device SET state = $4, user_id = $5, session_id = $6 WHERE id = $1 AND browser = $2 AND state = $7 AND expires_at > $3
			RETURNING app_id`, string(device), browser, micros(now), string(a.State), string(a.User), string(a.Session), string(grant.DevicePending)).Scan(&appID)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		answered = true
		if a.Grant == nil {
			return writeAudit(ctx, q, ev)
		}
		if a.Grant.App != appID || a.Grant.User != a.User {
			return fmt.Errorf("the grant of %s to %s is not one for this device", a.Grant.User, a.Grant.App)
		}
		return s.approveDevice(ctx, q, device, a, ev)
	})
	return answered && err == nil, err
}

// approveDevice makes or widens the grant, joins the app to the session, and notes on the device what was ticked.
func (s *Store) approveDevice(ctx context.Context, q querier, device id.Device, a grant.Answer, ev audit.Event) error {
	allowed, altered, err := s.allow(ctx, q, a.Grant, ev.At)
	if err != nil {
		return err
	}
	if err := joinSession(ctx, q, a.Session, allowed.App); err != nil {
		return err
	}
	issue, err := encode(&a.Issue)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `UPDATE device SET grant_id = $2, issue = $3 WHERE id = $1`, string(device), string(allowed.ID), issue); err != nil {
		return err
	}
	ev.Team = allowed.Team
	_, err = s.finish(ctx, q, ev, altered...)
	return err
}

// PollDevice implements grant.DeviceStore. A device that is over is only read: its polls mean nothing any more.
func (s *Store) PollDevice(ctx context.Context, device id.Device, now time.Time) (p grant.Poll, err error) {
	err = s.step(ctx, "note a poll", func(ctx context.Context, q querier) error {
		p.Slow = false
		// Asked in time first: of two polls at once the second waits and finds itself too early.
		const noted = ` WHERE id = $1 AND expires_at > $2 AND consumed_at = 0`
		d, err := scanDevice(q.QueryRowContext(ctx, `UPDATE device SET polled_at = $2`+noted+` AND polled_at + interval_s * 1000000 <= $2 RETURNING `+deviceColumns,
			string(device), micros(now)))
		if errors.Is(err, sql.ErrNoRows) {
			p.Slow = true
			d, err = scanDevice(q.QueryRowContext(ctx, `UPDATE device SET polled_at = $2, interval_s = interval_s + 5`+noted+` RETURNING `+deviceColumns,
				string(device), micros(now))) // RFC 8628 section 3.5: by 5 seconds, for this and all further polls
		}
		if errors.Is(err, sql.ErrNoRows) {
			p.Slow = false
			d, err = oneDevice(ctx, q, device)
		}
		if err != nil {
			return err
		}
		p.Device = *d
		return nil
	})
	return p, err
}

// RedeemDevice implements grant.DeviceStore.
func (s *Store) RedeemDevice(ctx context.Context, device id.Device, family id.Family, f *grant.Family, now time.Time) (grant.Outcome, error) {
	return s.redeem(ctx, redemption{table: "device", row: string(device), only: `AND state = 'approved'`, family: family, chain: f, now: now})
}
