-- Journal and snapshots of Slotcast, done where the data is: each call is one step
-- that no other command comes between, and is in the append-only file wholly or not at all.
--
-- A shard's journal is a stream. An entry's id is <epoch>-<seq>: opening under epoch E
-- adds a marker <E>-<last seq>, and events follow it as <E>-<last seq + 1> and so on.
-- So the stream's last id always says who owns the shard and where its journal ends,
-- and trimming does not change it. The sorted set of epochs says which seqs each
-- epoch holds: member = epoch in 16 digits, score = the last seq before it.

local function plain(number)
  return string.format('%.0f', number)
end

-- The epoch and the seq of the last id, as text; nil if there is no stream.
local function last_of(stream)
  local about = redis.pcall('XINFO', 'STREAM', stream)
  if about.err then
    if string.find(about.err, 'no such key', 1, true) then return nil end
    error(about)
  end
  for place = 1, #about, 2 do
    if about[place] == 'last-generated-id' then
      return string.match(about[place + 1], '^(%d+)-(%d+)$')
    end
  end
end

local function fenced(epoch, seq)
  return redis.error_reply('FENCED ' .. (epoch or '0') .. '-' .. (seq or '0'))
end

-- The generation in force, as the layout says; 0 if it does not say.
local function generation_of(layout)
  return tonumber(string.match(layout, '"generation"%s*:%s*(%d+)') or '0')
end

-- KEYS stream, epochs, shards, layout
-- ARGV shard, epoch and seq that the caller knows to be durable, its generation
-- Replies with the new epoch and the last seq. A generation that was followed by
-- another is not opened again: a process that still thinks it is in force must leave.
local function seal(keys, args)
  if redis.call('EXISTS', keys[4]) == 0 then
    return redis.error_reply('LOST layout')
  end
  local epoch, seq = last_of(keys[1])
  if tonumber(args[4]) < generation_of(redis.call('GET', keys[4])) then
    return fenced(epoch, seq)
  end
  if not epoch then
    if redis.call('SISMEMBER', keys[3], args[1]) == 1
      or redis.call('EXISTS', keys[2]) == 1 then
      return redis.error_reply('LOST stream')
    end
    epoch, seq = '0', '0'
  end
  if tonumber(epoch) < tonumber(args[2]) or tonumber(seq) < tonumber(args[3]) then
    return redis.error_reply('LOST end ' .. epoch .. '-' .. seq)
  end
  local mine = tonumber(epoch) + 1
  redis.call('SADD', keys[3], args[1])
  redis.call('XADD', keys[1], plain(mine) .. '-' .. seq, 'o', '1')
  redis.call('ZADD', keys[2], seq, string.format('%016.0f', mine))
  return {plain(mine), seq}
end

-- What to say to one who does not own the stream, or thinks that it ends elsewhere;
-- else nil, and the last seq.
local function refusal(stream, owner, expected)
  local epoch, seq = last_of(stream)
  if epoch ~= owner then return fenced(epoch, seq) end
  if expected ~= '' and seq ~= expected then return fenced(epoch, seq) end
  return nil, seq
end

-- KEYS stream; ARGV epoch, expected seq, events…
-- Replies with the last seq.
local function append(keys, args)
  local refused, seq = refusal(keys[1], args[1], args[2])
  if refused then return refused end
  local last = tonumber(seq)
  local prefix = args[1] .. '-'
  for place = 3, #args do
    last = last + 1
    redis.call('XADD', keys[1], prefix .. plain(last), 'e', args[place])
  end
  return last
end

-- KEYS stream, beacon; ARGV epoch, expected seq ('' if any will do), '1' to write the
-- beacon: what replicas have of it, they have of everything before it.
-- Replies with the last seq.
local function check(keys, args)
  local refused, seq = refusal(keys[1], args[1], args[2])
  if refused then return refused end
  if args[3] == '1' then redis.call('SET', keys[2], seq) end
  return tonumber(seq)
end

-- KEYS beacon. A write that says nothing, to learn whether replicas follow.
local function signal(keys, args)
  redis.call('SET', keys[1], args[1])
  return 1
end

-- KEYS stream, epochs; ARGV the first id that stays, its epoch in 16 digits
local function trim(keys, args)
  local gone = redis.call('XTRIM', keys[1], 'MINID', '=', args[1])
  local floor = redis.call('ZSCORE', keys[2], args[2])
  if floor then redis.call('ZREMRANGEBYSCORE', keys[2], '-inf', '(' .. floor) end
  return gone
end

-- KEYS stream, epochs, shards; ARGV shard, then epoch, seq, event of each record
-- Continues a journal that is being restored; an empty one may begin at any seq.
local function restore(keys, args)
  local epoch, seq = last_of(keys[1])
  if not epoch and redis.call('EXISTS', keys[2]) == 1 then
    return redis.error_reply('LOST stream')
  end
  local at = {tonumber(epoch or '0'), seq and tonumber(seq)}
  for place = 2, #args, 3 do
    local e, s = tonumber(args[place]), tonumber(args[place + 1])
    if e < 1 or e < at[1] or s < 1 or (at[2] and s ~= at[2] + 1) then
      return fenced(epoch, seq)
    end
    at = {e, s}
  end
  redis.call('SADD', keys[3], args[1])
  local before = tonumber(epoch or '0')
  for place = 2, #args, 3 do
    local e, s = tonumber(args[place]), tonumber(args[place + 1])
    if e ~= before then
      redis.call('ZADD', keys[2], plain(s - 1), string.format('%016.0f', e))
      before = e
    end
    redis.call('XADD', keys[1], plain(e) .. '-' .. plain(s), 'e', args[place + 2])
  end
  return at[2] or 0
end

-- KEYS shelf (epoch and position), calendars
-- ARGV epoch, position with its checksum ('' to leave it), then field, value…
local function store(keys, args)
  local newest = redis.call('HGET', keys[1], 'epoch') or '0'
  if tonumber(args[1]) < tonumber(newest) then return fenced(newest) end
  redis.call('HSET', keys[1], 'epoch', args[1])
  if args[2] ~= '' then
    local stored = redis.call('HGET', keys[1], 'position') or '0'
    if tonumber(string.match(args[2], '^%d+')) > tonumber(string.match(stored, '^%d+'))
    then
      redis.call('HSET', keys[1], 'position', args[2])
    end
  end
  for place = 3, #args, 2 do
    redis.call('HSET', keys[2], args[place], args[place + 1])
  end
  return 1
end

-- KEYS layout; ARGV what is there ('' if nothing may be), what shall be
local function swap(keys, args)
  local found = redis.call('GET', keys[1])
  if (found or '') ~= args[1] then return 0 end
  redis.call('SET', keys[1], args[2])
  return 1
end

-- Opening, checking, storing snapshots and trimming go on when memory is short: so that
-- what is there can be read, and room can be made: only what snapshots have is trimmed.
-- Snapshots replace older ones, and nothing new is journaled meanwhile, so what they may
-- take beyond the bound is what changed before it was reached. None is marked as reading only, so
-- that a replica, or a primary that became one, refuses them all.
redis.register_function{
  function_name = '@seal', callback = seal, flags = {'allow-oom'}}
redis.register_function('@append', append)
redis.register_function{
  function_name = '@check', callback = check, flags = {'allow-oom'}}
redis.register_function{
  function_name = '@signal', callback = signal, flags = {'allow-oom'}}
redis.register_function{
  function_name = '@trim', callback = trim, flags = {'allow-oom'}}
redis.register_function('@restore', restore)
redis.register_function{
  function_name = '@store', callback = store, flags = {'allow-oom'}}
redis.register_function('@swap', swap)
