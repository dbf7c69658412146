package lanyard

import "time"

// Reconciliation is a recount of the ledger, compared with every sum that was shown.
type Reconciliation struct {
	LedgerCount int64               `json:"ledger_count" doc:"Calls in the ledger"`
	Differences []UsageDifference   `json:"differences" doc:"Empty is how it should be"`
	Billing     []BillingDifference `json:"billing" doc:"Of quotas and final invoices; empty is how it should be"`
}

// BillingDifference is a quota of which more or less is leased than nodes hold and spent, or a final invoice that does not come to what
// was counted.
type BillingDifference struct {
	What    string    `json:"what" enum:"quota,invoice"`
	Of      string    `json:"of" doc:"The invoice, or whose quota"`
	Meter   string    `json:"meter,omitempty" doc:"Absent: the total of an invoice in micro-units, or the units of a quota"`
	Start   time.Time `json:"start"`
	Counted int64     `json:"counted"`
	Shown   int64     `json:"shown"`
}

// UsageDifference is a sum that does not say what the ledger says: of one key's calls, or, without app and key, of a team's or of all.
type UsageDifference struct {
	Granularity string    `json:"granularity" enum:"minute,hour,day,month"`
	Start       time.Time `json:"start"`
	Team        string    `json:"team,omitempty"`
	App         string    `json:"app,omitempty"`
	Key         string    `json:"key,omitempty"`
	User        string    `json:"user,omitempty"`
	API         string    `json:"api,omitempty"`
	Operation   string    `json:"operation,omitempty"`
	Outcome     string    `json:"outcome,omitempty"`
	Mode        string    `json:"mode,omitempty"`
	LedgerCount int64     `json:"ledger_count"`
	LedgerUnits int64     `json:"ledger_units"`
	RollupCount int64     `json:"rollup_count" doc:"What the sum says"`
	RollupUnits int64     `json:"rollup_units"`
}
