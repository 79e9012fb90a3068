// An OpenID provider for tests, on the port of its first argument. Whoever logs in says who they are: the login
// `ada:/devs,/staff` is `ada` of two groups, with any password.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;

const key = (kind, options, more) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more,
});

// Native clients may come back to any port of this machine (RFC 8252, section 7.3).
const client = (client_id, more) => ({
  client_id,
  application_type: 'native',
  redirect_uris: [`http://127.0.0.1/login/${client_id}/callback`],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    client('basic', { client_secret: 'a secret: 100% + "safe"', token_endpoint_auth_method: 'client_secret_basic' }),
    client('post', {
      client_secret: 'another secret', token_endpoint_auth_method: 'client_secret_post', id_token_signed_response_alg: 'ES256',
    }),
    client('public', { token_endpoint_auth_method: 'none' }),
  ],
  jwks: { keys: [key('rsa', { modulusLength: 2048 }, { kid: 'r1', alg: 'RS256' }), key('ec', { namedCurve: 'P-256' }, { kid: 'e1', alg: 'ES256' })] },
  cookies: { keys: ['for tests'] },
  claims: { openid: ['sub'], profile: ['preferred_username', 'name'], email: ['email', 'email_verified'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'email', 'groups'],
  pkce: { required: () => true },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  findAccount: (_, login) => {
    const [sub, groups] = login.split(':');
    return {
      accountId: login,
      claims: () => ({
        sub, preferred_username: sub, email: `${sub}@example.com`, email_verified: true, groups: groups ? groups.split(',') : [],
      }),
    };
  },
});

provider.listen(port, '127.0.0.1');
