-- Relays a request as the portal's mod_ood_proxy does: to the host and port in the path, or to the user's own process.

-- The Unix user of who is logged in; nil when the login can't be mapped.
local function map_user(r)
  local name = r.user and r.user:match("^[%w@._-]+$")
  return name and (r.subprocess_env["PORTAL_USER_PREFIX"] .. name)
end

local function tell(r, user, path)
  r.headers_in["X-Forwarded-Proto"] = r.is_https and "https" or "http"
  r.headers_in["X-Forwarded-User"] = user
  r.headers_in["X-Forwarded-Escaped-Uri"] = r:escape(path)
end

local function scheme(r)
  return r.headers_in["Upgrade"] and "ws://" or "http://"
end

local function refuse(r)
  r.status = 404
  r:write("Error -- failed to map user (" .. tostring(r.user) .. ")")
  return apache2.DONE
end

function relay_to_node(r)
  local env = r.subprocess_env
  local server = env["MATCH_HOST"] .. ":" .. env["MATCH_PORT"]
  local user = map_user(r)
  if not user then return refuse(r) end
  local path = env["MATCH_URI"] or r.uri
  if path == "" then path = "/" end
  r.handler = "proxy:" .. scheme(r) .. server
  r.filename = path
  tell(r, user, path)
  r:custom_response(503, "Failed to connect to " .. server)
  return apache2.DECLINED
end

function relay_to_pages(r)
  local user = map_user(r)
  if not user then return refuse(r) end
  r.handler = "proxy:unix:" .. r.subprocess_env["PORTAL_SOCKETS"] .. "/" .. user .. "/web.sock|" .. scheme(r) .. "localhost"
  r.filename = r.uri
  tell(r, user, r.uri)
  return apache2.DECLINED
end
