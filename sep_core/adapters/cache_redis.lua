-- Takes a change of the read models in, all of it or nothing.
-- KEYS: head, events, and the prefix of all others. ARGV: position it must follow, events to keep, count of events,
-- then each event's position and record; then each document's kind, key, body, order or '', labels joined by '\n'.
local head, events, prefix = KEYS[1], KEYS[2], KEYS[3]
local stands = tonumber(redis.call('HGET', head, 'pos') or '0')
if stands ~= tonumber(ARGV[1]) then
  return stands
end
local at, count = 4, tonumber(ARGV[3])
for _ = 1, count do
  redis.call('XADD', events, 'MAXLEN', '~', ARGV[2], ARGV[at] .. '-0', 'r', ARGV[at + 1])
  redis.call('HSET', head, 'pos', ARGV[at], 'record', ARGV[at + 1])
  at = at + 2
end
while at <= #ARGV do
  local kind, key, body, order, labels = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  redis.call('HSET', prefix .. 'documents:' .. kind, key, body)
  if order ~= '' then
    local known = prefix .. 'labels:' .. kind
    local before = redis.call('HGET', known, key)
    if before ~= labels then
      if before then
        for label in string.gmatch(before, '[^\n]+') do
          redis.call('ZREM', prefix .. 'list:' .. kind .. ':' .. label, key)
        end
      end
      for label in string.gmatch(labels, '[^\n]+') do
        redis.call('ZADD', prefix .. 'list:' .. kind .. ':' .. label, order, key)
      end
      redis.call('HSET', known, key, labels)
    end
  end
  at = at + 5
end
return -1
