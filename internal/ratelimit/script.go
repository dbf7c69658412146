package ratelimit

import "github.com/valkey-io/valkey-go"

// newScript returns the one script that counts. Redis runs it as one step, on its own clock.
//
// A cell is the text "AT USED": when it was last written, in microseconds since 1970, and the nanoseconds of spent units that
// had not drained then. An absolute time in nanoseconds would not do: Lua's numbers are doubles, exact only below 2^53. By
// the bounds of a limit every number here stays below that.
//
// A cell's own AT is never passed backwards, so a clock that was set back, or a replica's that is behind, refills nothing
// until it has caught up. A cell expires when it has drained, which is when it says no more than one that is missing.
//
// ARGV: what to do (spend, check or release), the time of the spending for a release, then for each key the nanoseconds
// to take (-1: refuse) and those of the whole burst. The answer: the time in microseconds, then for each key how long to
// wait and how much is spent, in nanoseconds.
func newScript() *valkey.Lua {
	return valkey.NewLuaScript(`
local what, spent = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])

local cells = {}
for _, key in ipairs(KEYS) do
  if not cells[key] then
    local cell = {at = clock, used = 0}
    local at, used = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
    if at then
      cell.at = math.max(clock, tonumber(at))
      cell.used = math.max(0, tonumber(used) - (cell.at - tonumber(at)) * 1000)
    end
    cell.before = cell.used
    cells[key] = cell
  end
end

local answer, refused = {clock}, false
for i, key in ipairs(KEYS) do
  local cell, take, burst, wait = cells[key], tonumber(ARGV[2*i+1]), tonumber(ARGV[2*i+2]), 0
  if what == 'release' then
    cell.used = math.max(0, cell.used - math.max(0, take - math.max(0, cell.at - spent) * 1000))
  elseif take < 0 then
    wait = -1
  elseif take > 0 then
    wait = math.max(0, cell.used + take - burst)
    if wait == 0 then cell.used = cell.used + take end
  end
  refused = refused or wait ~= 0
  answer[2*i] = wait
end

local keep = what ~= 'check' and not refused
for i, key in ipairs(KEYS) do
  local cell = cells[key]
  if not keep then
    cell.used = cell.before
  elseif cell.used == 0 then
    if cell.before ~= 0 then redis.call('DEL', key) end
  elseif cell.used ~= cell.before then
    local life = math.ceil(cell.used / 1000000 + (cell.at - clock) / 1000) + 1
    redis.call('SET', key, string.format('%.0f %.0f', cell.at, cell.used), 'PX', string.format('%.0f', life))
    cell.before = cell.used
  end
  answer[2*i+1] = cell.used
end
return answer
`)
}
