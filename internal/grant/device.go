package grant

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// DeviceState is what the user said to a device.
type DeviceState string

// The states.
const (
	DevicePending  DeviceState = "pending"
	DeviceApproved DeviceState = "approved"
	DeviceDenied   DeviceState = "denied"
)

// Device is a device that asks to be let in (RFC 8628): it polls with its device code while the user types the user code
// into a browser.
type Device struct {
	ID         id.Device
	Digest     []byte // of the device code
	UserDigest []byte // of the user code: found by it
	Pepper     int    // of both
	App        id.App
	Issue      Issue
	Browser    []byte // of the browser that saw it: only that one may answer; nil: none yet
	State      DeviceState
	User       id.User
	Grant      id.Grant
	Session    id.Session // as which apps know it
	Interval   time.Duration
	PolledAt   time.Time
	CreatedAt  time.Time
	ExpiresAt  time.Time
	ConsumedAt time.Time
	Family     id.Family // what its redemption made
}

// Answer is what the user said.
type Answer struct {
	State   DeviceState // approved or denied
	User    id.User
	Session id.Session // as which apps know it (session.Session.Alias)
	Grant   *Grant     // with approval: made or widened in the same step
	Issue   Issue      // with approval: what was ticked
}

// Poll is the answer to a device.
type Poll struct {
	Device Device
	Slow   bool // it asked too soon: the interval has grown
}

// DeviceStore keeps devices.
type DeviceStore interface {
	// CreateDevice keeps a device. fault.Conflict: another shows the same user code now.
	CreateDevice(ctx context.Context, d *Device) error
	// DeviceByCode finds the device that shows a user code, by its digests under every pepper, and binds it to the browser that
	// saw it if none did yet. fault.NotFound if there is none, it expired, was answered, or another browser has it.
	DeviceByCode(ctx context.Context, userDigests [][]byte, browser []byte, now time.Time) (*Device, error)
	// AnswerDevice notes the answer of the browser that saw it. false: it was answered before, or expired, or another browser
	// saw it. Approval notes that the session signed in to the app. It is refused as Allow refuses, and with fault.NotFound if
	// the session ended, and then nothing was answered.
	AnswerDevice(ctx context.Context, device id.Device, browser []byte, a Answer, now time.Time, ev audit.Event) (bool, error)
	// Device reads a device whatever became of it.
	Device(ctx context.Context, device id.Device) (*Device, error)
	// PollDevice notes that the device asked. Asking before its interval is over makes the interval five seconds longer.
	PollDevice(ctx context.Context, device id.Device, now time.Time) (Poll, error)
	// RedeemDevice consumes an approved device as RedeemCode does a code: Dead too where it was not approved.
	RedeemDevice(ctx context.Context, device id.Device, family id.Family, f *Family, now time.Time) (Outcome, error)
}
