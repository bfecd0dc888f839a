# frozen_string_literal: true

require 'openssl'
require 'securerandom'

module CurcLlm
  # One-use login tokens, exactly as curc_llm.session.login makes them: NAME~EXPIRY~NONCE~SIGNATURE. Each time a card is
  # drawn it mints a new one, so nothing that lets anyone in is ever stored.
  module CardLogin
    LIFE_S = 600

    module_function

    # @param secret [String] the content of the session's login.key
    # @param now [Time]
    # @return [String] good for ten minutes, once
    def mint(secret, now: Time.now, name: 'owner', nonce: SecureRandom.urlsafe_base64(16))
      expires_at = now.to_i + LIFE_S
      "#{name}~#{expires_at}~#{nonce}~#{sign(secret, 'login', name, expires_at, nonce)}"
    end

    # HMAC-SHA256 (RFC 2104) over all that the token claims, URL-safe base64 without padding.
    def sign(secret, purpose, name, expires_at, nonce)
      digest = OpenSSL::HMAC.digest('SHA256', secret, [purpose, name, expires_at, nonce].join("\n"))
      [digest].pack('m0').tr('+/', '-_').delete('=')
    end
  end
end
