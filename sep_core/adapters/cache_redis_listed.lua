-- Documents under a label with their order, the greatest first: read at one moment.
-- KEYS: list, documents. ARGV: the greatest order, as ZRANGEBYSCORE writes it, and how many.
local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[1], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local answer = {}
for at = 1, #found, 2 do
  answer[at] = found[at + 1]
  answer[at + 1] = redis.call('HGET', KEYS[2], found[at])
end
return answer
